"""Trend boards: the trends of each reader, stored by the worker for pages and digests."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from accounts.models import User
from feeds.coordination.revisions import CONTENT, bump_revision
from feeds.models import Source, Subscription, TrendBoard
from feeds.models.narrow import fetch, marks
from feeds.trends.types import Trend

STALE = timedelta(days=2)
"""Boards that were not updated for so long are ignored."""
_MOVED = "SELECT old_id, story_id FROM feeds_storyredirect WHERE old_id IN ({})"
_VISIBLE = (
    "SELECT DISTINCT i.story_id FROM feeds_item i JOIN feeds_source c ON c.id = i.source_id"
    " LEFT JOIN feeds_subscription s ON s.source_id = c.id AND s.user_id = %s"
    " WHERE (c.is_public OR s.id IS NOT NULL) AND i.story_id IN ({})"
)
_SOURCES = (
    "SELECT DISTINCT i.story_id, i.source_id, c.is_public FROM feeds_item i"
    " JOIN feeds_source c ON c.id = i.source_id WHERE i.story_id IN ({})"
)


def trends_for(user: User, now: datetime, most: int = 5) -> list[Trend]:
    """The trends among the sources that this reader can see, best first. Makes three queries."""
    boards = TrendBoard.objects.filter(Q(user=user) | Q(user=None), made_at__gt=now - STALE)
    own = {board.user_id: board for board in boards}
    board = own.get(user.pk) or own.get(None)
    trends = _current(read(board)) if board else []
    # The reader may have stopped following a source since the board was written.
    visible = _visible(user, [trend.story_id for trend in trends])
    return [trend for trend in trends if trend.story_id in visible][:most]


def trends_of_readers(
    readers: Mapping[int | None, tuple[datetime, Collection[int]]], most: int = 5
) -> dict[int | None, list[Trend]]:
    """{reader: their trends} as `trends_for` returns them, by three queries for all readers.

    `readers` maps each to the moment and to the sources that they follow; None are the public
    trends.
    """
    boards = _latest_boards(readers)
    trends = {pk: read(board) for pk, board in boards.items()}
    current = dict(zip(trends, _all_current(trends.values()), strict=True))
    sources, public = _sources_of({t.story_id for own in current.values() for t in own})
    chosen: dict[int | None, list[Trend]] = {}
    for reader, (moment, followed) in readers.items():
        fresh = (pk for pk in (reader, None) if pk in boards and _is_fresh(boards[pk], moment))
        own = current.get(next(fresh, -1), [])
        if reader is not None:
            visible = public | {pk for pk, ids in sources.items() if not ids.isdisjoint(followed)}
            own = [trend for trend in own if trend.story_id in visible]
        chosen[reader] = own[:most]
    return chosen


def _latest_boards(readers: Collection[int | None]) -> dict[int | None, TrendBoard]:
    users = [pk for pk in readers if pk is not None]
    boards = TrendBoard.objects.filter(Q(user__in=users) | Q(user=None))
    return {board.user_id: board for board in boards}


def _is_fresh(board: TrendBoard, moment: datetime) -> bool:
    return board.made_at > moment - STALE


def _sources_of(stories: Collection[int]) -> tuple[dict[int, set[int]], set[int]]:
    """{story: the sources of its items}, and the stories that have an item of a public source."""
    sources: defaultdict[int, set[int]] = defaultdict(set)
    public: set[int] = set()
    rows = fetch(_SOURCES.format(marks(stories)), list(stories)) if stories else []
    for story, source, is_public in rows:
        sources[story].add(source)
        if is_public:
            public.add(story)
    return sources, public


def _visible(user: User, stories: list[int]) -> set[int]:
    """Those of the stories with an item that the reader can see."""
    if not stories:
        return set()
    values = [user.pk, *stories]
    return {pk for (pk,) in fetch(_VISIBLE.format(marks(stories)), values)}


def _current(trends: list[Trend]) -> list[Trend]:
    return _all_current([trends])[0]


def _all_current(lists: Collection[list[Trend]]) -> list[list[Trend]]:
    """Replace stories that were merged since by their targets, with one query for all lists."""
    stories = sorted({trend.story_id for trends in lists for trend in trends})
    moved: dict[int, int] = {}
    if stories:
        moved = dict(fetch(_MOVED.format(marks(stories)), stories))
    return [
        [replace(t, story_id=moved.get(t.story_id, t.story_id)) for t in trends] for trends in lists
    ]


def read(board: TrendBoard) -> list[Trend]:
    return [_read(row) for row in board.trends]


def _read(row: dict[str, Any]) -> Trend:
    lists = {name: tuple(row[name]) for name in ("aliases", "sparkline")}
    return Trend(**(row | lists | {"began": date.fromisoformat(row["began"])}))


@transaction.atomic
def write(user_id: int | None, trends: Iterable[Trend], now: datetime) -> None:
    """Store the trends of a reader, or with None the public ones. If they differ from the stored
    ones, caches that show them are invalidated."""
    rows = [_row(trend) for trend in trends]
    mine = Q(user=None) if user_id is None else Q(user=user_id)
    board = TrendBoard.objects.filter(mine).first() or TrendBoard(user_id=user_id, trends=None)
    is_same = board.trends == rows
    board.made_at, board.trends = now, rows
    board.save()
    if is_same:
        return
    if user_id is None:
        bump_revision(CONTENT)
    else:
        User.bump_cache_versions([user_id])


def _row(trend: Trend) -> dict[str, Any]:
    """Convert to the types that JSON returns, so that rows can be compared."""
    lists = {"aliases": list(trend.aliases), "sparkline": list(trend.sparkline)}
    return asdict(trend) | lists | {"began": trend.began.isoformat()}


def audiences() -> Iterator[tuple[frozenset[int], list[int | None]]]:
    """Yield pairs (visible source ids, users who can see exactly these).

    None stands for all users who follow only public sources.
    """
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


def last_updates() -> dict[int | None, datetime]:
    """{user id: when their board was last updated}, None for the public board."""
    boards = TrendBoard.objects.only("user_id", "made_at")
    return {board.user_id: board.made_at for board in boards}


def delete_others(users: Collection[int | None]) -> None:
    """Delete the boards of other users, who follow no private sources any more."""
    TrendBoard.objects.exclude(user=None).exclude(user__in=[pk for pk in users if pk]).delete()
