"""How much a reader has not read, by source.

Counting takes a while, so it is cached, up to the newest item of the time; what came
since is few and is added. That way the counts are exact although news come all the time,
and an action of the reader, which changes their version, drops them.
"""

from collections import Counter
from collections.abc import Collection
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from accounts.models import User
from ainews_site.infra.db_router import reading_connection
from ainews_site.infra.memo import cached
from feeds.coordination.revisions import news_for
from feeds.core.ids import lowest_id

FRESH = 60
"""Seconds. Items that leave the horizon, or are deleted, are counted for so long."""


def unread_counts(user: User) -> dict[int, int]:
    """{source id: items unread}, sources without any left out. Exact; two queries when the
    counts are cached, else four."""
    news = news_for(user)
    border = lowest_id(timezone.now() - timedelta(days=settings.UNREAD_HORIZON_DAYS))
    upto, known = cached(
        f"unread-{user.pk}-{news.version}",
        lambda: _count(user, border, news.seq),
        fresh=FRESH,
    )
    counts = Counter(known)
    counts.update(_come_since(user, border, upto))
    return {source: count for source, count in counts.items() if count > 0}


def unread_up_to(user: User, upto: int, source_ids: Collection[int] | None = None) -> int:
    """Number of unread items with a seq of at most `upto`, of these sources or of all."""
    border = lowest_id(timezone.now() - timedelta(days=settings.UNREAD_HORIZON_DAYS))
    _, counts = _count(user, border, upto)
    return sum(n for source, n in counts.items() if source_ids is None or source in source_ids)


def _count(user: User, border: int, upto: int) -> tuple[int, dict[int, int]]:
    """(`upto`, the newest number that is counted; {source id: items unread}).

    Counted are items beyond the mark by ranges of the index of source, time and number;
    the few that the reader touched correct it.
    """
    counts = _beyond_marks(user, border, upto)
    for source, difference in _corrections(user, border, upto):
        # 0 for a source that the reader followed between the two queries.
        counts[source] = counts.get(source, 0) + difference
    return upto, {source: count for source, count in counts.items() if count}


def _beyond_marks(user: User, border: int, upto: int) -> dict[int, int]:
    query = (
        "SELECT s.source_id, (SELECT count(*) FROM feeds_item i WHERE i.source_id = s.source_id"
        " AND i.id >= %s AND i.seq > s.read_up_to AND i.seq <= %s)"
        " FROM feeds_subscription s WHERE s.user_id = %s"
    )
    with reading_connection().cursor() as cursor:
        cursor.execute(query, [border, upto, user.pk])
        return dict(cursor.fetchall())


def _come_since(user: User, border: int, upto: int) -> dict[int, int]:
    """Nobody has touched these: that would have changed the reader's version."""
    query = (
        "SELECT i.source_id, count(*) FROM feeds_item i JOIN feeds_subscription s"
        " ON s.source_id = i.source_id WHERE i.seq > %s AND i.id >= %s AND s.user_id = %s"
        " AND i.seq > s.read_up_to GROUP BY i.source_id"
    )
    with reading_connection().cursor() as cursor:
        cursor.execute(query, [upto, border, user.pk])
        return dict(cursor.fetchall())


def _corrections(user: User, border: int, upto: int) -> list[tuple[int, int]]:
    """(source, what to add) for the items whose state is told by a row of their own.

    A hidden item counts as read.
    """
    query = (
        "SELECT s.source_id, SUM("
        " CASE WHEN COALESCE(t.is_read, FALSE) OR t.is_hidden THEN 0 ELSE 1 END"
        " - CASE WHEN i.seq > s.read_up_to THEN 1 ELSE 0 END)"
        " FROM feeds_itemstate t JOIN feeds_item i ON i.id = t.item_id"
        " JOIN feeds_subscription s ON s.user_id = t.user_id AND s.source_id = i.source_id"
        # The second border spares the planner the partitions before it.
        " WHERE t.user_id = %s AND t.item_id >= %s AND i.id >= %s AND i.seq <= %s"
        " AND (t.is_read IS NOT NULL OR t.is_hidden) GROUP BY s.source_id"
    )
    with reading_connection().cursor() as cursor:
        cursor.execute(query, [user.pk, border, border, upto])
        return cursor.fetchall()  # type: ignore[no-any-return]
