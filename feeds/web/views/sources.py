"""The pages of sources: list, add, detail with actions, OPML import and export."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.buckets import Buckets
from accounts.costly import TooManyAtOnce
from accounts.limits import TooMany
from accounts.models import User
from accounts.types import ReaderRequest
from ainews_site.infra import db_clock
from ainews_site.infra.enqueue import enqueue_fast
from ainews_site.infra.machine_lock import machine_lock
from ainews_site.infra.memo import cached
from ainews_site.infra.process_state import resets_process_state
from feeds.core.errors import FeedError
from feeds.models import FetchLog, Source, Subscription
from feeds.sources.activity import DAYS, items_by_day
from feeds.sources.discover import complete_address, discover
from feeds.sources.folders import folder_at, folder_names, folder_paths
from feeds.sources.listing import SORTS, STATES, Choice, catalogue_for, sources_page
from feeds.sources.preview import Candidate
from feeds.sources.subscriptions import (
    MAX_OPML_BYTES,
    ImportReport,
    add_source,
    export_opml,
    import_opml,
    may_manage,
    subscribe,
    unsubscribe,
)
from feeds.web.sparkline import day_bars
from feeds.web.views.common import read_number

LOG_LINES = 50
FEW = 40
"""Readers of at most this many sources without folders need no filter by name."""
BARS_FRESH = 600
"""Lifetime of the cached drawings of items per day, in seconds."""
SOONEST_AGAIN = timedelta(minutes=1)
"""Least time between two fetches of a source on request, to protect publishers."""
FETCH_WAIT = timedelta(minutes=2)
"""How long the page of a due source reloads itself to show the result of the fetch."""
PREVIEW_SALT = "feeds.preview"
PREVIEW_AGE = timedelta(days=1)
MAX_REPORTED = 200
"""Lines that the report of an import shows, for each kind of result."""
Status = Source.Status
previews = Buckets(burst=5, per_second=0.2, what="previews and imports")
"""Of one reader, in one process. Each starts a process that reads the document."""
resets_process_state(previews.clear)


class SettingsForm(forms.Form):
    """The settings of a subscription, which concern one reader only."""

    title = forms.CharField(label="Custom name", required=False, max_length=300)
    folder_path = forms.CharField(
        label="Folder",
        required=False,
        max_length=300,
        help_text="Type a new name to create a folder; use “Labs / Europe” for a subfolder.",
    )


@login_required
@require_safe
def sources(request: ReaderRequest) -> HttpResponse:
    """List the sources that the reader follows, and other public sources."""
    paths = folder_paths(request.user)
    choice = _choice_of(request)
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
        feeds = discovered.candidates
        followed = _followed_by_url(request.user, [feed.url for feed in feeds])
        context["found"] = [(feed, followed.get(feed.url), _signed(feed)) for feed in feeds]
    return render(request, "sources/add.html", context)


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
            _poll_new(source)
    except FeedError as error:
        context = {"url": url, "error": str(error), "folders": folder_names(request.user)}
        return render(request, "sources/add.html", context)
    messages.success(request, f"You're now following {source}.")
    return redirect("source", pk=source.pk)


def _poll_new(source: Source) -> None:
    """Have a source that was never fetched polled at once, not at the next run of the schedule."""
    if source.last_fetched_at is None and source.status == Status.ACTIVE:
        transaction.on_commit(lambda: enqueue_fast("feeds.tasks.poll_batch", [source.pk]))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def source(request: ReaderRequest, pk: int) -> HttpResponse:
    """Show a source with its health and fetch log. A POST runs one of _ACTIONS."""
    source = get_object_or_404(Source.objects.visible_to(request.user), pk=pk)
    if request.method == "POST":
        return _run_action(request, source)
    return _detail(request, source)


def _detail(
    request: ReaderRequest, source: Source, form: SettingsForm | None = None
) -> HttpResponse:
    subscription = Subscription.objects.filter(user=request.user, source=source).first()
    context = {
        "source": source,
        "subscription": subscription,
        "form": form or SettingsForm(initial=_settings_of(subscription)),
        "folders": folder_names(request.user),
        "may_manage": may_manage(request.user, source),
        "is_fetching": _is_fetching(source, db_clock.now()),
        "fetches": _fetches(request.user, source, subscription)[:LOG_LINES],
        "items": source.items.newest_first().only("id", "title", "published_at", "source")[:10],
    }
    return render(request, "sources/detail.html", context, status=422 if form else 200)


def _fetches(user: User, source: Source, subscription: Subscription | None) -> QuerySet[FetchLog]:
    """The fetch log, newest first. Of a private source a reader sees what was fetched since they
    follow it: earlier lines would show when others began to."""
    fetches = source.fetches.order_by("-id")
    if subscription is None or source.is_public or user.is_staff:
        return fetches
    return fetches.filter(at__gte=subscription.created_at)


def _is_fetching(source: Source, now: datetime) -> bool:
    """Whether a worker should be fetching the source now. The page reloads itself only then."""
    is_due = now - FETCH_WAIT < source.next_poll_at <= now
    return source.status == Status.ACTIVE and is_due


def _settings_of(subscription: Subscription | None) -> dict[str, str]:
    if subscription is None:
        return {}
    paths = folder_paths(subscription.user)
    return {"title": subscription.title, "folder_path": paths.get(subscription.folder_id or 0, "")}


def _run_action(request: ReaderRequest, source: Source) -> HttpResponse:
    action = _ACTIONS.get(request.POST.get("action", ""))
    if action is None:
        raise Http404("Unknown action.")
    return action(request, source)


def _save_settings(request: ReaderRequest, source: Source) -> HttpResponse:
    subscription = get_object_or_404(Subscription, user=request.user, source=source)
    form = SettingsForm(request.POST)
    if not form.is_valid():
        return _detail(request, source, form)
    try:
        with transaction.atomic():
            subscription.folder = folder_at(request.user, form.cleaned_data["folder_path"])
            subscription.title = form.cleaned_data["title"]
            subscription.save(update_fields=["title", "folder"])
            request.user.bump_cache_version()
    except FeedError as error:
        form.add_error("folder_path", str(error))
        return _detail(request, source, form)
    return _show_message(request, source, "Saved.")


def _fetch_now(request: ReaderRequest, source: Source) -> HttpResponse:
    """Make the source due, so that a worker fetches it within seconds, with the usual limits."""
    get_object_or_404(Subscription, user=request.user, source=source)
    now = db_clock.now()
    if source.status != Status.ACTIVE:
        return _show_message(request, source, f"This source is {source.status}. Resume it first.")
    if source.last_fetched_at and now - source.last_fetched_at < SOONEST_AGAIN:
        return _show_message(request, source, "This source was fetched less than a minute ago.")
    if Source.objects.filter(pk=source.pk, next_poll_at__gt=now).update(next_poll_at=now):
        transaction.on_commit(lambda: enqueue_fast("feeds.tasks.poll_batch", [source.pk]))
    return redirect("source", pk=source.pk)


def _pause(request: ReaderRequest, source: Source) -> HttpResponse:
    _change_for_all(request.user, source, status=Status.PAUSED)
    return _show_message(request, source, "Paused.")


def _resume(request: ReaderRequest, source: Source) -> HttpResponse:
    _change_for_all(request.user, source, status=Status.ACTIVE, next_poll_at=db_clock.now())
    return _show_message(request, source, "Resumed.")


def _full_text_on(request: ReaderRequest, source: Source) -> HttpResponse:
    _change_for_all(request.user, source, full_text=True)
    return _show_message(request, source, "Full text is on for new articles.")


def _full_text_off(request: ReaderRequest, source: Source) -> HttpResponse:
    _change_for_all(request.user, source, full_text=False)
    return _show_message(request, source, "Full text is off for new articles.")


def _change_for_all(user: User, source: Source, **changes: object) -> None:
    if not may_manage(user, source):
        raise PermissionDenied("Other readers follow this source too, so only staff can change it.")
    Source.objects.filter(pk=source.pk).update(**changes)


def _follow(request: ReaderRequest, source: Source) -> HttpResponse:
    try:
        subscribe(request.user, source)
        _poll_new(source)
    except FeedError as error:
        messages.error(request, str(error))
        return redirect("source", pk=source.pk)
    return _show_message(request, source, f"You're now following {source}.")


def _unsubscribe(request: ReaderRequest, source: Source) -> HttpResponse:
    unsubscribe(request.user, source)
    messages.success(request, f"You no longer follow {source}.")
    return redirect("sources")


_ACTIONS: dict[str, Callable[[ReaderRequest, Source], HttpResponse]] = {
    "settings": _save_settings,
    "fetch": _fetch_now,
    "pause": _pause,
    "resume": _resume,
    "full_text_on": _full_text_on,
    "full_text_off": _full_text_off,
    "follow": _follow,
    "unsubscribe": _unsubscribe,
}


def _show_message(request: ReaderRequest, source: Source, message: str) -> HttpResponse:
    messages.info(request, message)
    return redirect("source", pk=source.pk)


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


@contextmanager
def one_at_a_time(user: User) -> Iterator[None]:
    """Let each reader parse one document at a time, because parsing takes CPU and memory.

    Raises TooManyAtOnce while another request of the same reader is parsing, and when a reader
    goes on for long.
    """
    with machine_lock(f"documents-{user.pk}") as is_mine:
        if not is_mine:
            raise TooManyAtOnce(
                "Your previous request is still running. Try again when it is done."
            )
        try:
            previews.take(user.pk)
        except TooMany as error:
            raise TooManyAtOnce(str(error), error.wait) from None
        yield


@login_required
@require_safe
def opml_export(request: ReaderRequest) -> HttpResponse:
    headers = {"Content-Disposition": 'attachment; filename="ai-news.opml"'}
    return HttpResponse(export_opml(request.user), content_type="text/x-opml", headers=headers)


def _followed_by_url(user: User, urls: list[str]) -> dict[str, Source]:
    followed = Source.objects.subscribed_by(user).filter(url__in=urls)
    return {source.url: source for source in followed}
