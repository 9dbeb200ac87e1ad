# ruff: noqa: S608 - the SQL is our own, values are parameters
"""How many items sources published on each of the last days."""

import time
from collections.abc import Sequence

from feeds.core.ids import TAIL_BITS
from feeds.models.narrow import fetch, marks

DAYS = 14
_DAY = 86_400


def items_by_day(source_ids: Sequence[int]) -> dict[int, list[int]]:
    """Return {source: number of items on each of the last DAYS days in UTC, today last}, in one
    query. It reads the index of sources alone. A source without items is left out."""
    if not source_ids:
        return {}
    first = int(time.time()) // _DAY - DAYS + 1
    rows = fetch(
        f"SELECT source_id, (id >> {TAIL_BITS}) / {_DAY}, count(*) FROM feeds_item"
        f" WHERE source_id IN ({marks(source_ids)}) AND id >= %s GROUP BY 1, 2",
        [*source_ids, first * _DAY << TAIL_BITS],
    )
    days: dict[int, list[int]] = {}
    for source, day, items in rows:
        # An item whose date is ahead counts as one of today.
        days.setdefault(source, [0] * DAYS)[min(int(day) - first, DAYS - 1)] += items
    return days
