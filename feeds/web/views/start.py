"""The start of a new reader: packs of sources, topics and the time of the digest."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from zoneinfo import available_timezones

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.db.models import OuterRef, Subquery
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.forms import HOURS, DigestForm
from accounts.models import User
from accounts.quotas import SOURCES, lock_user
from accounts.types import ReaderRequest
from ainews_site.infra.enqueue import enqueue_fast
from feeds.core.ids import lowest_id
from feeds.core.topics import LABELS, TOPICS
from feeds.models import Item, ItemState, Source, Subscription
from feeds.models.source import SourceQuerySet
from feeds.sources.subscriptions import subscribe_all

COOKIE = "start_seen"
COOKIE_SECONDS = 365 * 86_400
EXAMPLES = 3
HEADLINES_SINCE = timedelta(days=14)
MAX_SOURCES = 1_000
STEPS = ("start", "start_topics", "start_digest")


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack of the catalogue, with the number of its sources and of those that are followed.

    `headlines` are the newest ones of some of its sources, none if nobody follows them yet.
    """

    name: str
    sources: int
    followed: int
    examples: tuple[str, ...]
    headlines: tuple[str, ...]


def is_newcomer(request: ReaderRequest) -> bool:
    """Whether the reader, who follows no source, has neither gone through the start nor used
    AI News before."""
    if COOKIE in request.COOKIES or request.user.interests:
        return False
    return not ItemState.objects.filter(user=request.user).exists()


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def start(request: ReaderRequest) -> HttpResponse:
    """The first step: packs of sources to follow."""
    if request.method == "POST":
        _follow_packs(request, request.POST.getlist("packs"))
        return redirect("start_topics")
    return show_packs(request)


def show_packs(request: ReaderRequest) -> HttpResponse:
    return _step(request, 1, {"packs": packs_for(request.user)})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def start_topics(request: ReaderRequest) -> HttpResponse:
    """The second step: topics of which the reader wants more."""
    if request.method == "POST":
        _want_more(request.user, request.POST.getlist("topics"))
        return redirect("start_digest")
    groups = [(name, list(topics)) for name, topics in groupby(TOPICS, lambda topic: topic.group)]
    return _step(request, 2, {"groups": groups, "interests": request.user.interests})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def start_digest(request: ReaderRequest) -> HttpResponse:
    """The last step: hour and time zone of the digest. The front page follows."""
    form = DigestForm(request.POST if request.method == "POST" else None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            form.save()
            request.user.bump_cache_version()
        return redirect("stories")
    status = 422 if form.is_bound else 200
    zones = sorted(zone for zone in available_timezones() if "/" in zone and "Etc/" not in zone)
    return _step(request, 3, {"form": form, "hours": HOURS, "zones": zones}, status)


def _step(
    request: ReaderRequest, number: int, context: dict[str, object], status: int = 200
) -> HttpResponse:
    after = STEPS[number] if number < len(STEPS) else "stories"
    context |= {"number": number, "steps": len(STEPS), "address": STEPS[number - 1], "after": after}
    if status == 422:  # a ModelForm changes its instance even if it is invalid
        request.user.refresh_from_db()
    response = render(request, "feeds/start.html", context, status=status)
    if number > 1:
        response.set_cookie(
            COOKIE,
            "1",
            COOKIE_SECONDS,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    return response


def packs_for(user: User) -> list[Pack]:
    """The packs of the catalogue, in three queries."""
    followed = set(Subscription.objects.filter(user=user).values_list("source_id", flat=True))
    rows = _catalogue().order_by("pack", "-weight", "title").values_list("pack", "pk", "title")
    by_pack = {
        name: list(members) for name, members in groupby(rows[:MAX_SOURCES], key=lambda row: row[0])
    }
    examples = {
        name: [(pk, title) for _, pk, title in sources if title][:EXAMPLES]
        for name, sources in by_pack.items()
    }
    headlines = _newest_headlines([pk for shown in examples.values() for pk, _ in shown])
    return [
        Pack(
            name=name,
            sources=len(sources),
            followed=sum(pk in followed for _, pk, _ in sources),
            examples=tuple(title for _, title in examples[name]),
            headlines=tuple(headlines[pk] for pk, _ in examples[name] if pk in headlines),
        )
        for name, sources in by_pack.items()
    ]


def _newest_headlines(sources: Collection[int]) -> dict[int, str]:
    """{source: its newest headline of the last days}, without sources that have none."""
    recent = Item.objects.filter(
        source=OuterRef("pk"), pk__gte=lowest_id(timezone.now() - HEADLINES_SINCE)
    )
    newest = Subquery(recent.newest_first().values("title")[:1])
    rows = Source.objects.filter(pk__in=sources).annotate(newest=newest)
    return {pk: title for pk, title in rows.values_list("pk", "newest") if title}


def _catalogue() -> SourceQuerySet:
    return Source.objects.filter(is_public=True, status=Source.Status.ACTIVE).exclude(pack="")


@transaction.atomic
def _follow_packs(request: ReaderRequest, packs: Collection[str]) -> None:
    """Follow the sources of these packs, as many as the quota allows. New ones are fetched now."""
    lock_user(request.user)
    own = Subscription.objects.filter(user=request.user)
    followed = set(own.values_list("source_id", flat=True))
    wanted = [s for s in _catalogue().filter(pack__in=packs) if s.pk not in followed]
    sources = wanted[: SOURCES.room(len(followed))]
    if len(sources) < len(wanted):
        most = SOURCES.in_words(SOURCES.most)
        messages.warning(request, f"Not all sources were added: you can have {most} at most.")
    if not sources:
        return
    subscribe_all(request.user, sources)
    if any(source.last_fetched_at is None for source in sources):
        transaction.on_commit(lambda: enqueue_fast("feeds.tasks.poll_due"))


@transaction.atomic
def _want_more(user: User, topics: Collection[str]) -> None:
    """Set these topics to "more", and those that were "more" back to normal."""
    locked = User.objects.select_for_update().get(pk=user.pk)
    others = {slug: level for slug, level in locked.interests.items() if level != "more"}
    locked.interests = others | {slug: "more" for slug in topics if slug in LABELS}
    locked.save(update_fields=["interests"])
    user.bump_cache_version()
