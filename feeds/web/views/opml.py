"""Import and export of the sources that a reader follows, as OPML files."""

from collections.abc import Sequence

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from accounts.types import ReaderRequest
from feeds.core.errors import FeedError
from feeds.sources.subscriptions import (
    MAX_OPML_BYTES,
    ImportReport,
    export_opml,
    import_opml,
)
from feeds.web.views.documents import one_at_a_time

MAX_REPORTED = 200
"""Lines that the report of an import shows, for each kind of result."""


@login_required
@require_POST
def opml_import(request: ReaderRequest) -> HttpResponse:
    """Follow the feeds of an OPML file, and report those that could not be followed."""
    try:
        report = _import_upload(request)
        context: dict[str, object] = {"report": report, "lists": _shown_lists(report)}
    except FeedError as error:
        context = {"error": str(error)}
    return render(request, "sources/opml.html", context, status=422 if "error" in context else 200)


def _shown_lists(report: ImportReport) -> dict[str, tuple[Sequence[object], int]]:
    """{kind of result: (first lines, number of further lines)}"""
    lists = {"added": report.added, "known": report.known, "failed": report.failed}
    return {
        name: (lines[:MAX_REPORTED], max(0, len(lines) - MAX_REPORTED))
        for name, lines in lists.items()
    }


def _import_upload(request: ReaderRequest) -> ImportReport:
    upload = request.FILES.get("opml")
    if upload is None:
        raise FeedError("Choose an OPML file first.")
    with one_at_a_time(request.user):
        return import_opml(
            request.user, upload.read(MAX_OPML_BYTES + 1)
        )  # one byte more than allowed


@login_required
@require_safe
def opml_export(request: ReaderRequest) -> HttpResponse:
    headers = {"Content-Disposition": 'attachment; filename="ai-news.opml"'}
    return HttpResponse(export_opml(request.user), content_type="text/x-opml", headers=headers)
