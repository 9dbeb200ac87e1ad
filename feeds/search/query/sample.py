# ruff: noqa: S608 - all of the SQL is our own, values are parameters
"""The items by which a search judges how rare a word is: those that the reader may see.

A count over all items would let a reader learn which words stand in the private items of others:
each changes the count, and so the order of what is found.
"""

from hashlib import blake2b
from typing import Any

from ainews_site.infra.db_router import reading_connection
from ainews_site.infra.memo import cached
from feeds.core.ids import id_time
from feeds.core.partitions import month_of
from feeds.search.query.conditions import SEEN
from feeds.search.query.types import RECENT, Sample

FRESH = 3600
"""Seconds. The library changes little in that time, and a small one is read each time."""
_PRIVATE = (
    "SELECT s.source_id FROM feeds_subscription s JOIN feeds_source o ON o.id = s.source_id"
    " WHERE s.user_id = %s AND NOT o.is_public ORDER BY s.source_id"
)
# The + keeps a planner from sorting all items of each source.
_SAMPLE = (
    "SELECT language, min(id), count(*), 0 FROM (SELECT i.language, i.id FROM feeds_item i"
    f" WHERE +i.source_id IN {SEEN} ORDER BY i.id DESC LIMIT %s) newest GROUP BY language"
    f" UNION ALL SELECT DISTINCT language, 0, 0, 0 FROM feeds_source WHERE id IN {SEEN}"
    f" UNION ALL SELECT NULL, 0, 0, count(*) FROM feeds_item WHERE source_id IN {SEEN}"
)
_MONTH = f"SELECT count(*) FROM feeds_item WHERE source_id IN {SEEN} AND id >= %s"


def sample_for(user_id: int) -> Sample:
    """The sample of a reader. It depends on nothing but the sources that the reader may see."""
    read: list[Sample] = []

    def compute() -> tuple[Any, ...]:
        read.append(_read(cursor, user_id))
        return tuple(read[0])

    with reading_connection().cursor() as cursor:
        cursor.execute(_PRIVATE, [user_id])
        key = blake2b(repr(cursor.fetchall()).encode(), digest_size=16).hexdigest()
        sample = Sample(*cached(f"search-sample-{key}", compute, fresh=FRESH))
        return sample if read or sample.size == RECENT else _read(cursor, user_id)


def _read(cursor: Any, user_id: int) -> Sample:
    cursor.execute(_SAMPLE, [user_id, RECENT, user_id, user_id])
    rows = cursor.fetchall()
    lowest = min((lowest for _, lowest, *_ in rows if lowest), default=0)
    size, total = sum(size for _, _, size, _ in rows), sum(total for *_, total in rows)
    languages = tuple(sorted({language for language, *_ in rows if language is not None}))
    if size >= total:
        return Sample(lowest, size, lowest, size, total, languages)
    month = month_of(id_time(lowest)).low
    cursor.execute(_MONTH, [user_id, month])
    (month_size,) = cursor.fetchone()
    return Sample(lowest, size, month, month_size, total, languages)
