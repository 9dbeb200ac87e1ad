"""Time-ordered ids of items and stories.

`id = unix_second << 20 | seq % 2**20`: the second of publication, and a tail that makes the id
unique. The primary key sorts by time, so keyset pagination needs one column. An id has 52 bits, so
it is exact in JavaScript.
"""

from datetime import UTC, datetime, timedelta

TAIL_BITS = 20
TAIL_MASK = (1 << TAIL_BITS) - 1


def make_id(published: datetime, seq: int) -> int:
    """Return the id of an item with this date of publication and this ledger number."""
    return int(published.timestamp()) << TAIL_BITS | seq & TAIL_MASK


def lowest_id(moment: datetime) -> int:
    """Return the smallest id of the second of `moment`, as the bound of a range by date."""
    return int(moment.timestamp()) << TAIL_BITS


def id_limit(now: datetime) -> int:
    """Return a bound above the ids of all items, which excludes the partitions of later months.

    Items have no date in the future. A day is added for a clock that is ahead.
    """
    return lowest_id(now + timedelta(days=1))


def id_time(item_id: int) -> datetime:
    """Return the time of publication that is part of `item_id`, to the second, in UTC."""
    return datetime.fromtimestamp(item_id >> TAIL_BITS, UTC)
