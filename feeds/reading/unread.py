"""How much a reader has not read, by source."""

from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone

from accounts.models import User
from feeds.ids import lowest_id
from feeds.models import ItemState


def unread_counts(user: User) -> dict[int, int]:
    """{source id: items unread}, sources without any left out. Exact; two queries.

    Counted are items beyond the mark by ranges of the index of source, time and number;
    the few that the reader touched correct it.
    """
    border = lowest_id(timezone.now() - timedelta(days=settings.UNREAD_HORIZON_DAYS))
    counts = _beyond_marks(user, border)
    for source, seq, mark, is_read in _touched(user, border):
        beyond = seq > mark
        counts[source] = counts.get(source, 0) + (not is_read) - beyond
    return {source: count for source, count in counts.items() if count > 0}


def _beyond_marks(user: User, border: int) -> dict[int, int]:
    query = (
        "SELECT s.source_id, (SELECT count(*) FROM feeds_item i WHERE i.source_id = s.source_id"
        " AND i.id >= %s AND i.seq > s.read_up_to) FROM feeds_subscription s WHERE s.user_id = %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [border, user.pk])
        return dict(cursor.fetchall())


def _touched(user: User, border: int) -> list[tuple[int, int, int, bool]]:
    """(source, seq, mark, is_read) of the followed items whose state is told by a row.

    A hidden item counts as read.
    """
    states = ItemState.objects.filter(
        user=user, item__gte=border, item__source__subscriptions__user=user
    ).exclude(is_read=None, is_hidden=False)
    columns = ("item__source", "item__seq", "is_read", "is_hidden")
    marks = dict(user.subscriptions.values_list("source_id", "read_up_to"))
    return [
        (source, seq, marks[source], bool(is_read) or is_hidden)
        for source, seq, is_read, is_hidden in states.values_list(*columns)
        if source in marks
    ]
