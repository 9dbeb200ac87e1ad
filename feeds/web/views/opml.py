"""Import and export of the sources that a reader follows, as OPML files."""

from collections.abc import Sequence

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts.types import ReaderRequest
from feeds.core.errors import FeedError
from feeds.sources.subscriptions import (
    MAX_OPML_BYTES,
    ImportReport,
    export_opml,
    import_opml,
)
from feeds.web.formats import cut
from feeds.web.views.documents import one_at_a_time

REPORT = "opml_report"
"""Key of the session with the report of the last import."""
MAX_REPORTED, MAX_LINE = 100, 200
"""Lines of a report for each kind of result, and characters of a line. A session is read for each
page, so that its report must be small."""


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def opml_import(request: ReaderRequest) -> HttpResponse:
    """Follow the feeds of an OPML file, and report those that could not be followed.

    The report has the same address, so that it can be reloaded.
    """
    if request.method == "POST":
        return _import_and_report(request)
    report = request.session.get(REPORT)
    if report is None:
        return redirect("sources")
    return render(request, "sources/opml.html", {"report": report})


def _import_and_report(request: ReaderRequest) -> HttpResponse:
    try:
        report = _import_upload(request)
    except FeedError as error:
        return render(request, "sources/opml.html", {"error": str(error)}, status=422)
    request.session[REPORT] = _shown(report)
    return redirect("opml_import")


def _shown(report: ImportReport) -> dict[str, dict[str, object]]:
    """{kind of result: the number of its lines, and the first of them}"""
    added, known = ([[line] for line in lines] for lines in (report.added, report.known))
    kinds: dict[str, Sequence[Sequence[str]]]
    kinds = {"added": added, "known": known, "failed": report.failed}
    return {
        kind: {
            "total": len(lines),
            "lines": [[cut(text, MAX_LINE) for text in line] for line in lines[:MAX_REPORTED]],
        }
        for kind, lines in kinds.items()
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
