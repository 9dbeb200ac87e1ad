"""How much a reader has not read, by source.

Counting takes a while, so the counts are cached together with the newest seq that they include.
The few items that arrived since are counted and added, so the result is always exact. Every mark
of the reader bumps their cache version, which invalidates the counts.
"""

from collections import Counter
from collections.abc import Collection
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from accounts.models import User
from ainews_site.infra.db_router import reading_connection
from ainews_site.infra.memo import cached
from feeds.coordination.revisions import News, news_for
from feeds.core.ids import id_limit, lowest_id

# The first conditions exclude other partitions from the plan. OFFSET makes PostgreSQL look each
# state's item up. It would read all items of the reader's sources, which takes twice as long.
_ITEM_OF_STATE = {
    "postgresql": (
        "CROSS JOIN LATERAL (SELECT source_id, seq FROM feeds_item"
        " WHERE id >= %s AND id < %s AND seq <= %s AND id = t.item_id OFFSET 0) i"
    ),
    "sqlite": "JOIN feeds_item i ON i.id >= %s AND i.id < %s AND i.seq <= %s AND i.id = t.item_id",
}
FRESH = 60
"""Lifetime of cached counts in seconds. Until then, deleted items and items that left the unread
horizon are still counted."""


def unread_counts(user: User, news: News | None = None) -> dict[int, int]:
    """{source id: number of unread items}, without sources that have none.

    Makes two queries if the counts are cached, else four; one less with `news`, the current state.
    """
    news = news or news_for(user)
    horizon = lowest_id(timezone.now() - timedelta(days=settings.UNREAD_HORIZON_DAYS))
    upto, known = cached(
        f"unread-{user.pk}-{news.cache_version}",
        lambda: _count(user, horizon, news.seq),
        fresh=FRESH,
        claim=False,
    )
    counts = Counter(known)
    if news.seq > upto:
        counts.update(_arrived_since(user, horizon, upto))
    return {source: count for source, count in counts.items() if count > 0}


def unread_up_to(user: User, upto: int, source_ids: Collection[int] | None = None) -> int:
    """Count the unread items with a seq of at most `upto`, of these sources or of all."""
    horizon = lowest_id(timezone.now() - timedelta(days=settings.UNREAD_HORIZON_DAYS))
    _, counts = _count(user, horizon, upto, source_ids)
    return sum(counts.values())


def _count(
    user: User, horizon: int, upto: int, source_ids: Collection[int] | None = None
) -> tuple[int, dict[int, int]]:
    """Return (`upto`, {source id: unread items with a seq of at most `upto`}).

    Counts the items above each source's watermark by ranges of an index, and corrects the counts
    for the few items that have a state of their own.
    """
    counts = _above_watermarks(user, horizon, upto, source_ids)
    for source, difference in _corrections(user, horizon, upto):
        if source_ids is None or source in source_ids:
            # 0 for a source that the reader followed between the two queries.
            counts[source] = counts.get(source, 0) + difference
    return upto, {source: count for source, count in counts.items() if count}


def _above_watermarks(
    user: User, horizon: int, upto: int, source_ids: Collection[int] | None
) -> dict[int, int]:
    query = (
        "SELECT s.source_id, (SELECT count(*) FROM feeds_item i WHERE i.source_id = s.source_id"
        " AND i.id >= %s AND i.id < %s AND i.seq > s.read_up_to AND i.seq <= %s)"
        " FROM feeds_subscription s WHERE s.user_id = %s"
    )
    values = [horizon, id_limit(timezone.now()), upto, user.pk]
    if source_ids is not None:
        query += f" AND s.source_id IN ({', '.join(['%s'] * len(source_ids)) or 'NULL'})"
        values += source_ids
    with reading_connection().cursor() as cursor:
        cursor.execute(query, values)
        return dict(cursor.fetchall())


def _arrived_since(user: User, horizon: int, upto: int) -> dict[int, int]:
    """Count the items after `upto`. None has a state yet, as marks bump the cache version."""
    query = (
        "SELECT i.source_id, count(*) FROM feeds_item i JOIN feeds_subscription s"
        " ON s.source_id = i.source_id WHERE i.seq > %s AND i.id >= %s AND i.id < %s"
        " AND s.user_id = %s AND i.seq > s.read_up_to GROUP BY i.source_id"
    )
    with reading_connection().cursor() as cursor:
        cursor.execute(query, [upto, horizon, id_limit(timezone.now()), user.pk])
        return dict(cursor.fetchall())


def _corrections(user: User, horizon: int, upto: int) -> list[tuple[int, int]]:
    """Return pairs (source id, correction) for the items that have a state. Hidden items count as
    read."""
    query = (
        "SELECT s.source_id, SUM("  # noqa: S608 - no input
        " CASE WHEN COALESCE(t.is_read, FALSE) OR t.is_hidden THEN 0 ELSE 1 END"
        " - CASE WHEN i.seq > s.read_up_to THEN 1 ELSE 0 END)"
        f" FROM feeds_itemstate t {_ITEM_OF_STATE[reading_connection().vendor]}"
        " JOIN feeds_subscription s ON s.user_id = t.user_id AND s.source_id = i.source_id"
        " WHERE t.user_id = %s AND t.item_id >= %s"
        " AND (t.is_read IS NOT NULL OR t.is_hidden) GROUP BY s.source_id"
    )
    with reading_connection().cursor() as cursor:
        cursor.execute(query, [horizon, id_limit(timezone.now()), upto, user.pk, horizon])
        return cursor.fetchall()  # type: ignore[no-any-return]
