"""The pages that list sources and add one."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from hashlib import blake2b
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core import signing
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import User
from accounts.types import ReaderRequest
from ainews_site.infra.memo import cached
from feeds.core.errors import FeedError
from feeds.models import Source
from feeds.sources.activity import DAYS, items_by_day
from feeds.sources.discover import complete_address, discover
from feeds.sources.folders import folder_at, folder_names, folder_paths
from feeds.sources.listing import SORTS, STATES, Choice, catalogue_for, sources_page
from feeds.sources.preview import Candidate
from feeds.sources.subscriptions import (
    add_source,
)
from feeds.web.sparkline import day_bars
from feeds.web.views.common import read_number
from feeds.web.views.documents import one_at_a_time
from feeds.web.views.opml import REPORT
from feeds.web.views.source import poll_new
from feeds.web.views.unfollow import former_subscription

FEW = 40
"""Readers of at most this many sources without folders need no filter by name."""
BARS_FRESH = 600
"""Lifetime of the cached drawings of items per day, in seconds."""
PREVIEW_SALT = "feeds.preview"
PREVIEW_AGE = timedelta(days=1)


@login_required
@require_safe
def sources(request: ReaderRequest) -> HttpResponse:
    """List the sources that the reader follows, and other public sources."""
    paths = folder_paths(request.user)
    choice = _choice_of(request)
    request.session.pop(REPORT, None)  # it has been read
    page = sources_page(request.user, paths, request.GET.get("page"), choice)
    context = {
        "page": page,
        "shown": page.shown,
        "choice": choice,
        "states": [(state, getattr(page, state)) for state in STATES],
        "folders": sorted(paths.items(), key=lambda pair: pair[1].lower()),
        "sorts": SORTS,
        "query": _query_of(choice),
        "sort_queries": {sort: _query_of(replace(choice, sort=sort)) for sort in SORTS},
        "has_name_filter": page.total > FEW or bool(paths or choice.name),
        "bars": _bars([row.source.pk for row, _ in page.rows]),
        "others": catalogue_for(request.user, request.GET.get("catalogue")),
        "is_catalogue_open": "catalogue" in request.GET or not page.total,
        "unfollowed": former_subscription(request),
    }
    return render(request, "sources/list.html", context)


def _query_of(choice: Choice) -> str:
    return urlencode([(name, value) for name, value in asdict(choice).items() if value])


def _bars(source_ids: list[int]) -> dict[int, str]:
    """{source: drawing of its last days} of these sources, which the reader follows. They are
    cached, as they cost more than the rest of the rows."""
    ids = ",".join(map(str, sorted(source_ids)))
    key = f"source-bars-{blake2b(ids.encode(), digest_size=16).hexdigest()}"
    return cached(key, lambda: _draw_bars(source_ids), fresh=BARS_FRESH)


def _draw_bars(source_ids: list[int]) -> dict[int, str]:
    days = items_by_day(source_ids)
    # Plain strings, because the cache pickles them.
    return {pk: str(day_bars(days.get(pk) or [0] * DAYS)) for pk in source_ids}


def _choice_of(request: ReaderRequest) -> Choice:
    """The filter and order of the address. Unknown values are ignored."""
    state, sort = request.GET.get("state", ""), request.GET.get("sort", "")
    return Choice(
        state if state in STATES else "",
        read_number(request.GET.get("folder")),
        sort if sort in SORTS else "",
        request.GET.get("name", "").strip()[:300],
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def source_add(request: ReaderRequest) -> HttpResponse:
    """Add a source in two steps: enter a URL, then choose one of the feeds found there."""
    url = request.POST.get("url", "")
    if request.method == "POST" and request.POST.get("step") == "confirm":
        return _add_confirmed(request, url)
    context: dict[str, object] = {
        "url": url or request.GET.get("url", ""),
        "folders": folder_names(request.user),
    }
    if request.method == "POST":
        try:
            with one_at_a_time(request.user):
                discovered = discover(url)
        except FeedError as error:
            return render(request, "sources/add.html", context | {"error": str(error)})
        feeds = _with_known_titles(request.user, discovered.candidates)
        followed = _followed_by_url(request.user, [feed.url for feed in feeds])
        context["found"] = [(feed, followed.get(feed.url), _signed(feed)) for feed in feeds]
    return render(request, "sources/add.html", context)


def _with_known_titles(user: User, feeds: Sequence[Candidate]) -> list[Candidate]:
    """The feeds under the names that their sources have, if the reader can see them."""
    sources = Source.objects.visible_to(user).filter(url__in=[feed.url for feed in feeds])
    titles = {url: title for url, title in sources.values_list("url", "title") if title}
    return [replace(feed, title=titles.get(feed.url, feed.title)) for feed in feeds]


def _signed(feed: Candidate) -> str:
    """The title of a previewed feed for the form. It is signed, as other readers will see it."""
    return signing.dumps([feed.url, feed.title], salt=PREVIEW_SALT, compress=True)


def _previewed_title(url: str, signed: str) -> str:
    """The title that the preview of this address showed; "" if the form does not prove it."""
    try:
        previewed, title = signing.loads(signed, salt=PREVIEW_SALT, max_age=PREVIEW_AGE)
    except signing.BadSignature:
        return ""
    return str(title)[:300] if previewed == url else ""


def _add_confirmed(request: ReaderRequest, url: str) -> HttpResponse:
    title = _previewed_title(url, request.POST.get("preview", ""))
    try:
        folder = folder_at(request.user, request.POST.get("folder", ""))
        with transaction.atomic():
            source = add_source(complete_address(url), user=request.user, folder=folder)
            if title and not source.title:
                Source.objects.filter(pk=source.pk, title="").update(title=title)
                source.title = title
            poll_new(source)
    except FeedError as error:
        context = {"url": url, "error": str(error), "folders": folder_names(request.user)}
        return render(request, "sources/add.html", context)
    messages.success(request, f"You're now following {source}.")
    return redirect("source", pk=source.pk)


def _followed_by_url(user: User, urls: list[str]) -> dict[str, Source]:
    followed = Source.objects.subscribed_by(user).filter(url__in=urls)
    return {source.url: source for source in followed}
