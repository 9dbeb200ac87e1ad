"""The pages of editions, of the reader and of the site: by day, and the archive by month."""

import zlib
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import get_template
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import User
from accounts.types import ReaderRequest
from ainews_site.infra.memo import STALE_FOR, cached
from digests.channels.allowance import spend
from digests.editions.progress import progress_message, progress_of
from digests.editions.read import month_of, neighbours, todays_digest
from digests.editions.schedule import schedule_of
from digests.editions.writing import current_writing, request_digest, today_of
from digests.models import Digest
from feeds.web.views.common import reported_of

FIRST_YEAR, LAST_YEAR = 1995, 9998
UPDATE_LIMIT_REACHED = "The limit of updates has been reached. Try again in an hour."


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def digest_today(request: ReaderRequest) -> HttpResponse:
    """Show the newest edition. A POST requests an update of today's edition."""
    if request.method == "POST":
        _request_edition(request, request.user, today_of(request.user))
        return redirect("digest")
    return _page(request, todays_digest(request.user))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def digest_day(request: ReaderRequest, day: date) -> HttpResponse:
    """Show the edition of a day. A POST requests it if it has not been written."""
    _check_day(request.user, day)
    digest = Digest.objects.of(request.user).filter(date=day).first()
    if request.method == "POST":
        if digest is None:
            _request_edition(request, request.user, day)
        return redirect("digest_day", day=day)
    if digest is None:
        context = {"day": day, "writing": _writing(request.user, request.user, day)}
        return render(request, "digests/none.html", context, status=404)
    return _page(request, digest)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def digest_global(request: ReaderRequest) -> HttpResponse:
    """Show the newest edition of the site. A POST by staff requests an update."""
    if request.method == "POST":
        if not request.user.is_staff:
            raise PermissionDenied("Only staff can update the site digest.")
        _request_edition(request, None, today_of(None))
        return redirect("digest_global")
    return _page(request, todays_digest(None))


@login_required
@require_safe
def digest_global_day(request: ReaderRequest, day: date) -> HttpResponse:
    digest = Digest.objects.of(None).filter(date=day).first()
    if digest is None:
        raise Http404("The site digest has no edition for that day.")
    return _page(request, digest)


@login_required
@require_safe
def archive(
    request: ReaderRequest, year: int | None = None, month: int = 1, is_global: bool = False
) -> HttpResponse:
    """List the editions of a month. Without a month, redirect to the newest month with editions."""
    owner = None if is_global else request.user
    name = "digest_archive_global" if is_global else "digest_archive"
    if year is None:
        newest = Digest.objects.of(owner).values_list("date", flat=True).first()
        day = newest or today_of(owner)
        return redirect(name, year=day.year, month=day.month)
    if not (FIRST_YEAR <= year <= LAST_YEAR and 1 <= month <= 12):
        raise Http404("Unknown month.")
    context = {"month": month_of(owner, year, month), "is_global": is_global, "name": name}
    return render(request, "digests/archive.html", context)


@login_required
@never_cache
@require_safe
def writing(request: ReaderRequest, is_global: bool = False) -> HttpResponse:
    """Return the progress of writing as JSON, for pages without a websocket."""
    return JsonResponse(progress_of(request.user, is_global=is_global))


def _check_day(user: User, day: date) -> None:
    if day > today_of(user):
        raise Http404("That day is in the future.")
    if day.year < FIRST_YEAR:
        raise Http404("That day is too far in the past.")


def _request_edition(request: ReaderRequest, owner: User | None, day: date) -> None:
    if spend(request.user, "write"):
        request_digest(owner, day)
    else:
        messages.error(request, UPDATE_LIMIT_REACHED)


def _writing(reader: User, owner: User | None, *days: date) -> dict[str, Any] | None:
    """The progress of `owner`'s edition (None: the site's), if it is for one of `days`."""
    request = current_writing(owner)
    if request is None or request.date not in days:
        return None
    name = "digest_global_writing" if owner is None else "digest_writing"
    return {
        "text": progress_message(request, schedule_of(reader).zone_name),
        "failed": bool(request.error),
        "url": reverse(name),
        "socket": "/ws/digest/global/" if owner is None else "/ws/digest/",
    }


def _page(request: ReaderRequest, digest: Digest) -> HttpResponse:
    owner = None if digest.is_global else request.user
    around = neighbours(digest)
    is_newest = around.following is None
    today = today_of(owner)
    context = {
        "digest": digest,
        "edition": digest.content,
        "reported": reported_of(request),
        "body": _body(digest),
        "around": around,
        "is_newest": is_newest,
        "can_write": is_newest and (owner is not None or request.user.is_staff),
        "writing": _writing(request.user, owner, digest.date, today) if is_newest else None,
        "next_due": schedule_of(owner).next_due(timezone.now()) if is_newest else None,
    }
    return render(request, "digests/digest.html", context)


@cache
def _checksum(file: str) -> int:
    return zlib.crc32(Path(file).read_bytes())


def _body(digest: Digest) -> SafeString:
    """The rendered stories. They are cached until the edition or the template changes."""
    template = get_template("digests/edition_body.html")
    checksum = _checksum(template.template.filename)  # type: ignore[attr-defined]
    html = cached(
        f"digest-{digest.pk}-{digest.created_at.timestamp()}-{checksum}",
        lambda: str(template.render({"edition": digest.content, "digest": digest})),
        fresh=STALE_FOR,
    )
    return mark_safe(html)  # noqa: S308 - rendered, and so escaped, by the template
