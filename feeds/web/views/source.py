"""The page of a source, with its settings, its fetches and what a reader can do with it."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.types import ReaderRequest
from ainews_site.infra import db_clock
from ainews_site.infra.enqueue import enqueue_fast
from feeds.core.errors import FeedError
from feeds.models import FetchLog, Source, Subscription
from feeds.sources.folders import folder_at, folder_names, folder_paths
from feeds.sources.subscriptions import (
    may_manage,
    subscribe,
)
from feeds.web.views.unfollow import unfollow

LOG_LINES = 50
SOONEST_AGAIN = timedelta(minutes=1)
"""Least time between two fetches of a source on request, to protect publishers."""
FETCH_WAIT = timedelta(minutes=2)
"""How long the page of a due source reloads itself to show the result of the fetch."""
CATALOGUE = "catalogue"
"""Parameter with the page of the catalogue where the reader follows a source, and its anchor."""
Status = Source.Status


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
        poll_new(source)
    except FeedError as error:
        messages.error(request, str(error))
        return redirect("source", pk=source.pk)
    messages.info(request, f"You're now following {source}.")
    if CATALOGUE not in request.GET:
        return redirect("source", pk=source.pk)
    return redirect(f"{reverse('sources')}?{request.GET.urlencode()}#{CATALOGUE}")


_ACTIONS: dict[str, Callable[[ReaderRequest, Source], HttpResponse]] = {
    "settings": _save_settings,
    "fetch": _fetch_now,
    "pause": _pause,
    "resume": _resume,
    "full_text_on": _full_text_on,
    "full_text_off": _full_text_off,
    "follow": _follow,
    "unfollow": unfollow,
}


def _show_message(request: ReaderRequest, source: Source, message: str) -> HttpResponse:
    messages.info(request, message)
    return redirect("source", pk=source.pk)


def poll_new(source: Source) -> None:
    """Have a source that was never fetched polled at once, not at the next run of the schedule."""
    if source.last_fetched_at is None and source.status == Status.ACTIVE:
        transaction.on_commit(lambda: enqueue_fast("feeds.tasks.poll_batch", [source.pk]))
