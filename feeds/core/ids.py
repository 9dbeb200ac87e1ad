"""Time-ordered ids: the second of publication and a tail that makes it unique.

`id = unix_second << 20 | seq % 2**20`, 52 bits: the primary key sorts by time, one
column pages by keyset, and the number is exact in JavaScript.
"""

from datetime import UTC, datetime

TAIL_BITS = 20
TAIL_MASK = (1 << TAIL_BITS) - 1


def make_id(published: datetime, seq: int) -> int:
    """The id of an item published at `published` whose ledger number is `seq`."""
    return int(published.timestamp()) << TAIL_BITS | seq & TAIL_MASK


def lowest_id(moment: datetime) -> int:
    """The smallest id of the second of `moment`: the bound of a range by date."""
    return int(moment.timestamp()) << TAIL_BITS


def id_time(item_id: int) -> datetime:
    """The second that `item_id` carries, in UTC."""
    return datetime.fromtimestamp(item_id >> TAIL_BITS, UTC)
