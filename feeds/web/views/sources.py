"""The pages on which a reader adds, watches and arranges their sources."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from accounts.quotas import FOLDERS, lock_user
from accounts.types import ReaderRequest
from ainews_site.infra import db_clock
from ainews_site.infra.machine_lock import machine_lock
from feeds.core.errors import FeedError
from feeds.models import Folder, Source, Subscription
from feeds.sources.discover import complete_address, discover
from feeds.sources.subscriptions import (
    MAX_OPML_BYTES,
    ImportReport,
    add_source,
    export_opml,
    import_opml,
    subscribe,
    unsubscribe,
)

LOG_LINES = 50
SOONEST_AGAIN = timedelta(minutes=1)
"""Nobody may make us knock at a publisher's door more often than that."""
FETCH_WAIT = timedelta(minutes=2)
"""How long after a source became due its page expects the fetch and updates itself."""
PATH = " / "
PAGE = 200
MAX_REPORTED = 200
"""Lines of each kind that the report of an import shows."""
MAX_OF_CATALOGUE = 1_000
Status = Source.Status


class SettingsForm(forms.Form):
    """What a reader may set for themselves alone."""

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
    """All that this reader follows, and what else the catalogue has."""
    paths = folder_paths(request.user)
    followed = Subscription.objects.filter(user=request.user)
    paginator = Paginator(_in_order(followed, paths), PAGE)
    shown = paginator.get_page(request.GET.get("page"))
    by_pk = followed.select_related("source").in_bulk(list(shown.object_list))
    others = Source.objects.filter(is_public=True).exclude(subscriptions__user=request.user)
    bad = Q(source__status=Status.GONE) | Q(source__status=Status.ACTIVE, source__failures__gt=0)
    context = {
        "rows": [(one, paths.get(one.folder_id or 0, "")) for one in map(by_pk.get, shown) if one],
        "shown": shown,
        "others": others.order_by("pack", "title")[:MAX_OF_CATALOGUE],
        "failing": followed.filter(bad).count(),
    }
    return render(request, "sources/list.html", context)


def _in_order(followed: QuerySet[Subscription], paths: dict[int, str]) -> list[int]:
    """The ids of subscriptions by folder and name."""
    columns = ("pk", "folder_id", "title", "source__title", "source__url")
    named = [
        (paths.get(folder or 0, "").lower(), (own or title or url).lower(), pk)
        for pk, folder, own, title, url in followed.values_list(*columns)
    ]
    return [pk for *_, pk in sorted(named)]


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def source_add(request: ReaderRequest) -> HttpResponse:
    """Paste an address, look at what is there, confirm."""
    url = request.POST.get("url", "")
    if request.method == "POST" and request.POST.get("step") == "confirm":
        return _follow_found(request, url)
    context: dict[str, object] = {
        "url": url or request.GET.get("url", ""),
        "folders": _folder_names(request.user),
    }
    if request.method == "POST":
        try:
            with one_at_a_time(request.user):
                found = discover(url)
        except FeedError as error:
            return render(request, "sources/add.html", context | {"error": str(error)})
        followed = _followed_by_url(request.user, [one.url for one in found.candidates])
        context["found"] = [(one, followed.get(one.url)) for one in found.candidates]
    return render(request, "sources/add.html", context)


def _follow_found(request: ReaderRequest, url: str) -> HttpResponse:
    try:
        folder = folder_at(request.user, request.POST.get("folder", ""))
        source = add_source(complete_address(url), user=request.user, folder=folder)
    except FeedError as error:
        context = {"url": url, "error": str(error), "folders": _folder_names(request.user)}
        return render(request, "sources/add.html", context)
    messages.success(request, f"You're now following {source}.")
    return redirect("source", pk=source.pk)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def source(request: ReaderRequest, pk: int) -> HttpResponse:
    """One source: its health, its fetch log, what the reader may do; a POST does it."""
    found = get_object_or_404(Source.objects.visible_to(request.user), pk=pk)
    if request.method == "POST":
        return _act(request, found)
    return _detail(request, found)


def _detail(
    request: ReaderRequest, found: Source, form: SettingsForm | None = None
) -> HttpResponse:
    subscription = Subscription.objects.filter(user=request.user, source=found).first()
    context = {
        "source": found,
        "subscription": subscription,
        "form": form or SettingsForm(initial=_settings_of(subscription)),
        "folders": _folder_names(request.user),
        "may_manage": may_manage(request.user, found),
        "is_fetching": _is_fetching(found, db_clock.now()),
        "fetches": found.fetches.order_by("-id")[:LOG_LINES],
        "items": found.items.newest_first().only("id", "title", "published_at", "source")[:10],
    }
    return render(request, "sources/detail.html", context, status=422 if form else 200)


def _is_fetching(found: Source, now: datetime) -> bool:
    """Whether a worker should be polling the source now. Without one the page stops asking."""
    is_due = now - FETCH_WAIT < found.next_poll_at <= now
    return found.status == Status.ACTIVE and is_due


def _settings_of(subscription: Subscription | None) -> dict[str, str]:
    if subscription is None:
        return {}
    paths = folder_paths(subscription.user)
    return {"title": subscription.title, "folder_path": paths.get(subscription.folder_id or 0, "")}


def may_manage(user: User, found: Source) -> bool:
    """A source is shared: only staff, or who alone follows it, change it for everyone."""
    if user.is_staff:
        return True
    readers = found.subscriptions.values_list("user_id", flat=True)[:2]
    return not found.is_public and list(readers) == [user.pk]


def _act(request: ReaderRequest, found: Source) -> HttpResponse:
    action = _ACTIONS.get(request.POST.get("action", ""))
    if action is None:
        raise Http404("Unknown action.")
    return action(request, found)


def _save_settings(request: ReaderRequest, found: Source) -> HttpResponse:
    subscription = get_object_or_404(Subscription, user=request.user, source=found)
    form = SettingsForm(request.POST)
    if not form.is_valid():
        return _detail(request, found, form)
    try:
        with transaction.atomic():
            subscription.folder = folder_at(request.user, form.cleaned_data["folder_path"])
            subscription.title = form.cleaned_data["title"]
            subscription.save(update_fields=["title", "folder"])
            request.user.bump_cache_version()
    except FeedError as error:
        form.add_error("folder_path", str(error))
        return _detail(request, found, form)
    return _say(request, found, "Saved.")


def _fetch_now(request: ReaderRequest, found: Source) -> HttpResponse:
    """Make it due; the worker takes it within seconds, under all the usual manners."""
    get_object_or_404(Subscription, user=request.user, source=found)
    now = db_clock.now()
    if found.status != Status.ACTIVE:
        return _say(request, found, f"This source is {found.status}. Resume it first.")
    if found.last_fetched_at and now - found.last_fetched_at < SOONEST_AGAIN:
        return _say(request, found, "This source was fetched less than a minute ago.")
    Source.objects.filter(pk=found.pk, next_poll_at__gt=now).update(next_poll_at=now)
    return redirect("source", pk=found.pk)


def _pause(request: ReaderRequest, found: Source) -> HttpResponse:
    _change_for_all(request.user, found, status=Status.PAUSED)
    return _say(request, found, "Paused.")


def _resume(request: ReaderRequest, found: Source) -> HttpResponse:
    _change_for_all(request.user, found, status=Status.ACTIVE, next_poll_at=db_clock.now())
    return _say(request, found, "Resumed.")


def _full_text_on(request: ReaderRequest, found: Source) -> HttpResponse:
    _change_for_all(request.user, found, full_text=True)
    return _say(request, found, "Full text is on for new articles.")


def _full_text_off(request: ReaderRequest, found: Source) -> HttpResponse:
    _change_for_all(request.user, found, full_text=False)
    return _say(request, found, "Full text is off for new articles.")


def _change_for_all(user: User, found: Source, **changes: object) -> None:
    if not may_manage(user, found):
        raise PermissionDenied("Other readers follow this source too, so only staff can change it.")
    Source.objects.filter(pk=found.pk).update(**changes)


def _follow(request: ReaderRequest, found: Source) -> HttpResponse:
    try:
        subscribe(request.user, found)
    except FeedError as error:
        messages.error(request, str(error))
        return redirect("source", pk=found.pk)
    return _say(request, found, f"You're now following {found}.")


def _unsubscribe(request: ReaderRequest, found: Source) -> HttpResponse:
    unsubscribe(request.user, found)
    messages.success(request, f"You no longer follow {found}.")
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


def _say(request: ReaderRequest, found: Source, words: str) -> HttpResponse:
    messages.info(request, words)
    return redirect("source", pk=found.pk)


@login_required
@require_POST
def opml_import(request: ReaderRequest) -> HttpResponse:
    """Follow what an OPML file lists, and report on every line that could not be."""
    try:
        report = _import_upload(request)
        context: dict[str, object] = {"report": report, "lists": _shown_lists(report)}
    except FeedError as error:
        context = {"error": str(error)}
    return render(request, "sources/opml.html", context, status=422 if "error" in context else 200)


def _shown_lists(report: ImportReport) -> dict[str, tuple[Sequence[object], int]]:
    """The first lines of each kind, and how many more there are."""
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
        return import_opml(request.user, upload.read(MAX_OPML_BYTES + 1))  # enough to be refused


@contextmanager
def one_at_a_time(user: User) -> Iterator[None]:
    """Reading documents of strangers takes CPU and memory, so each reader has one read at a time.

    Raises FeedError while another request of the same reader is at it.
    """
    with machine_lock(f"documents-{user.pk}") as is_mine:
        if not is_mine:
            raise FeedError("Your previous request is still running. Try again when it is done.")
        yield


@login_required
@require_safe
def opml_export(request: ReaderRequest) -> HttpResponse:
    headers = {"Content-Disposition": 'attachment; filename="ai-news.opml"'}
    return HttpResponse(export_opml(request.user), content_type="text/x-opml", headers=headers)


def folder_paths(user: User) -> dict[int, str]:
    """Each of the reader's folders with its path, `Labs / Europe`, in one query."""
    folders = {folder.pk: folder for folder in Folder.objects.filter(user=user)}
    return {pk: _path_of(folder, folders) for pk, folder in folders.items()}


def _path_of(folder: Folder, folders: dict[int, Folder]) -> str:
    names, seen = [folder.name], {folder.pk}
    while folder.parent_id and folder.parent_id not in seen:
        folder = folders[folder.parent_id]
        seen.add(folder.pk)
        names.append(folder.name)
    return PATH.join(reversed(names))


def _folder_names(user: User) -> list[str]:
    return sorted(folder_paths(user).values(), key=str.lower)


def folder_at(user: User, path: str) -> Folder | None:
    """The folder at `path`, made where there is none; None for no path. A name may hold a
    slash of its own, so what is there is looked for as it is shown."""
    for pk, shown in folder_paths(user).items():
        if shown == path.strip():
            return Folder.objects.get(pk=pk)
    names = [name.strip() for name in path.split(PATH.strip()) if name.strip()]
    if any(len(name) > 100 for name in names) or len(names) > 10:
        raise FeedError(
            "A folder name can have 100 characters at most, and folders can be nested ten deep."
        )
    folder = None
    with transaction.atomic():
        for name in names:
            folder = _folder_in(user, folder, name)
    return folder


def _folder_in(user: User, parent: Folder | None, name: str) -> Folder:
    """The one of this name, made where there is none. Raises FeedError beyond the quota."""
    found = Folder.objects.filter(user=user, parent=parent, name=name).first()
    if found is not None:
        return found
    lock_user(user)
    if problem := FOLDERS.problem(Folder.objects.filter(user=user).count()):
        raise FeedError(problem)
    return Folder.objects.get_or_create(user=user, parent=parent, name=name)[0]


def _followed_by_url(user: User, urls: list[str]) -> dict[str, Source]:
    return {one.url: one for one in Source.objects.subscribed_by(user).filter(url__in=urls)}
