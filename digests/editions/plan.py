"""What editions are written from before any item is read. Several are planned together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from accounts.models import User
from digests.editions.earlier import Covered, covered_before
from digests.editions.schedule import schedule_of
from digests.editions.window import Window, since_last, window_of
from feeds.models import Source, Subscription

NORMAL = Subscription.Level.NORMAL.value


@dataclass(frozen=True, slots=True)
class Request:
    """An edition to write: of a reader, or of the site without one. If `is_due`, it covers the
    time until now even if it is late."""

    user: User | None
    day: date
    is_due: bool = False

    @property
    def user_id(self) -> int | None:
        return self.user.pk if self.user else None


@dataclass(frozen=True, slots=True)
class Plan:
    """A request with its window, what earlier editions covered, and {source: level} of the sources
    that it reads: those that the reader follows, or of the site all public ones."""

    request: Request
    window: Window
    covered: Covered
    levels: Mapping[int, str]

    @property
    def user(self) -> User | None:
        return self.request.user

    @property
    def chosen_levels(self) -> dict[int, str]:
        """{source: level} of the sources for which the reader chose a level."""
        return {source: level for source, level in self.levels.items() if level != NORMAL}


def plan_editions(requests: Sequence[Request], now: datetime) -> list[Plan]:
    """Plan editions, at most one for each reader. Makes four queries for all of them."""
    levels = _levels(requests)
    covered = covered_before([(request.user_id, request.day) for request in requests])
    return [
        Plan(request, _window(request, now, own), own, levels.get(request.user_id, {}))
        for request, own in zip(requests, covered, strict=True)
    ]


def _window(request: Request, now: datetime, covered: Covered) -> Window:
    choose = since_last if request.is_due else window_of
    return choose(request.day, schedule_of(request.user), now, covered.last_end)


def _levels(requests: Sequence[Request]) -> dict[int | None, dict[int, str]]:
    users = [request.user_id for request in requests if request.user]
    levels: dict[int | None, dict[int, str]] = {user: {} for user in users}
    rows = Subscription.objects.filter(user__in=users) if users else Subscription.objects.none()
    for user, source, level in rows.values_list("user_id", "source_id", "level"):
        levels[user][source] = level
    if len(users) < len(requests):
        public = Source.objects.filter(is_public=True).values_list("pk", flat=True)
        levels[None] = dict.fromkeys(public, NORMAL)
    return levels
