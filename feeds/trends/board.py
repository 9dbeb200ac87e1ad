"""The trends of each reader: found by the worker, kept as a row, read by pages and digests."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from accounts.models import User
from feeds.coordination.revisions import CONTENT, bump_revision
from feeds.models import Source, Story, StoryRedirect, Subscription, TrendBoard
from feeds.trends.types import Trend

STALE = timedelta(days=2)
"""What was found so long ago is no trend any more, if nothing was found since."""


def trends_for(user: User, now: datetime, most: int = 5) -> list[Trend]:
    """The trends of the sources that this reader may see, best first. Three queries."""
    boards = TrendBoard.objects.filter(Q(user=user) | Q(user=None), made_at__gt=now - STALE)
    own = {board.user_id: board for board in boards}
    board = own.get(user.pk) or own.get(None)
    trends = _current(read(board)) if board else []
    # They may have stopped following a source since.
    seen = Story.objects.visible_to(user).filter(pk__in=[one.story_id for one in trends])
    ids = set(seen.values_list("pk", flat=True))
    return [one for one in trends if one.story_id in ids][:most]


def public_trends(now: datetime, most: int = 5) -> list[Trend]:
    """The trends of the catalogue's sources, best first."""
    board = TrendBoard.objects.filter(user=None, made_at__gt=now - STALE).first()
    return _current(read(board))[:most] if board else []


def _current(trends: list[Trend]) -> list[Trend]:
    """With the stories that theirs were merged into meanwhile."""
    moved = dict(
        StoryRedirect.objects.filter(old_id__in=[one.story_id for one in trends]).values_list(
            "old_id", "story_id"
        )
    )
    return [replace(one, story_id=moved.get(one.story_id, one.story_id)) for one in trends]


def read(board: TrendBoard) -> list[Trend]:
    return [_read(row) for row in board.trends]


def _read(row: dict[str, Any]) -> Trend:
    lists = {name: tuple(row[name]) for name in ("aliases", "sparkline")}
    return Trend(**(row | lists | {"began": date.fromisoformat(row["began"])}))


@transaction.atomic
def write(user_id: int | None, trends: Iterable[Trend], now: datetime) -> None:
    """Keep what was found; what is remembered holds no longer where it differs."""
    rows = [_row(trend) for trend in trends]
    mine = Q(user=None) if user_id is None else Q(user=user_id)
    kept = TrendBoard.objects.filter(mine).first() or TrendBoard(user_id=user_id, trends=None)
    is_same = kept.trends == rows
    kept.made_at, kept.trends = now, rows
    kept.save()
    if is_same:
        return
    if user_id is None:
        bump_revision(CONTENT)
    else:
        User.bump_cache_versions([user_id])


def _row(trend: Trend) -> dict[str, Any]:
    """As JSON gives it back, so that it can be compared."""
    lists = {"aliases": list(trend.aliases), "sparkline": list(trend.sparkline)}
    return asdict(trend) | lists | {"began": trend.began.isoformat()}


def audiences() -> Iterator[tuple[frozenset[int], list[int | None]]]:
    """(ids of sources, ids of the users who may see just these); None is whoever follows
    public sources alone. The same sources are looked at once."""
    public = frozenset(Source.objects.filter(is_public=True).values_list("pk", flat=True))
    private: defaultdict[int, set[int]] = defaultdict(set)
    rows = Subscription.objects.filter(source__is_public=False, user__is_active=True)
    for user, source in rows.values_list("user_id", "source_id"):
        private[user].add(source)
    groups: defaultdict[frozenset[int], list[int | None]] = defaultdict(list)
    groups[public].append(None)
    for user, sources in private.items():
        groups[public | sources].append(user)
    yield from groups.items()


def made() -> dict[int | None, datetime]:
    """{user: when their trends were found last}."""
    boards = TrendBoard.objects.only("user_id", "made_at")
    return {board.user_id: board.made_at for board in boards}


def forget_others(users: Collection[int | None]) -> None:
    """The rows of readers who have no sources of their own any more."""
    TrendBoard.objects.exclude(user=None).exclude(user__in=[pk for pk in users if pk]).delete()
