"""How much a reader has not read, by source."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from accounts.database import reading_connection
from accounts.models import User
from feeds.ids import lowest_id


def unread_counts(user: User) -> dict[int, int]:
    """{source id: items unread}, sources without any left out. Exact; two queries.

    Counted are items beyond the mark by ranges of the index of source, time and number;
    the few that the reader touched correct it.
    """
    border = lowest_id(timezone.now() - timedelta(days=settings.UNREAD_HORIZON_DAYS))
    counts = _beyond_marks(user, border)
    for source, difference in _corrections(user, border):
        counts[source] += difference
    return {source: count for source, count in counts.items() if count > 0}


def _beyond_marks(user: User, border: int) -> dict[int, int]:
    query = (
        "SELECT s.source_id, (SELECT count(*) FROM feeds_item i WHERE i.source_id = s.source_id"
        " AND i.id >= %s AND i.seq > s.read_up_to) FROM feeds_subscription s WHERE s.user_id = %s"
    )
    with reading_connection().cursor() as cursor:
        cursor.execute(query, [border, user.pk])
        return dict(cursor.fetchall())


def _corrections(user: User, border: int) -> list[tuple[int, int]]:
    """(source, what to add) for the items whose state is told by a row of their own.

    A hidden item counts as read.
    """
    query = (
        "SELECT s.source_id, SUM("
        " CASE WHEN COALESCE(t.is_read, FALSE) OR t.is_hidden THEN 0 ELSE 1 END"
        " - CASE WHEN i.seq > s.read_up_to THEN 1 ELSE 0 END)"
        " FROM feeds_itemstate t JOIN feeds_item i ON i.id = t.item_id"
        " JOIN feeds_subscription s ON s.user_id = t.user_id AND s.source_id = i.source_id"
        " WHERE t.user_id = %s AND t.item_id >= %s AND (t.is_read IS NOT NULL OR t.is_hidden)"
        " GROUP BY s.source_id"
    )
    with reading_connection().cursor() as cursor:
        cursor.execute(query, [user.pk, border])
        return cursor.fetchall()  # type: ignore[no-any-return]
