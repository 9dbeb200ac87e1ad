"""The digest's pages."""

import zlib
from datetime import date, timedelta

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import get_template
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_http_methods

from accounts.remember import KEPT, remembered
from accounts.types import ReaderRequest
from digests.models import Digest
from digests.read import todays_digest, write_now
from digests.window import reader_today

FIRST_YEAR = 1995


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def digest_today(request: ReaderRequest) -> HttpResponse:
    """Today's edition; a POST writes it again with what has come since."""
    if request.method == "POST":
        write_now(request.user)
        return redirect("digest")
    return _page(request, todays_digest(request.user))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def digest_day(request: ReaderRequest, day: date) -> HttpResponse:
    """The edition of a past day; a POST writes one where there is none yet."""
    today = reader_today(request.user.time_zone, timezone.now())
    if day > today:
        raise Http404("That day has not come yet.")
    if day.year < FIRST_YEAR:
        raise Http404("No feed is that old.")
    digest = Digest.objects.filter(user=request.user, date=day).first()
    if request.method == "POST":
        if digest is None:
            write_now(request.user, day)
        return redirect("digest_day", day=day)
    if digest is None:
        return render(request, "digests/none.html", {"day": day}, status=404)
    return _page(request, digest)


def _page(request: ReaderRequest, digest: Digest) -> HttpResponse:
    today = reader_today(request.user.time_zone, timezone.now())
    editions = Digest.objects.filter(user=request.user).values_list("date", flat=True)
    context = {
        "digest": digest,
        "edition": digest.content,
        "told": _told(digest),
        "number": editions.filter(date__lte=digest.date).count(),
        "is_today": digest.date == today,
        "previous": digest.date - timedelta(days=1),
        "next": digest.date + timedelta(days=1) if digest.date < today else None,
        "editions": editions[:14],
    }
    return render(request, "digests/digest.html", context)


def _told(digest: Digest) -> SafeString:
    """Its stories as a page: the same for ever, until it is written again or shown otherwise."""
    template = get_template("digests/told.html")
    shown = zlib.crc32(template.template.source.encode())  # type: ignore[attr-defined]
    html = remembered(
        f"digest-{digest.pk}-{digest.created_at.timestamp()}-{shown}",
        lambda: str(template.render({"edition": digest.content})),
        fresh=KEPT,
    )
    return mark_safe(html)  # noqa: S308 - rendered, and so escaped, by the template
