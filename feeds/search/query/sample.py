# ruff: noqa: S608 - all of the SQL is our own, values are parameters
"""Selects the items in which a search counts how rare a word is: those that the reader may see.

Counting all items would leak the words of other readers' private items, as each private item would
change the counts, and so the order of the results.
"""

from hashlib import blake2b
from typing import Any

from ainews_site.infra.db_router import reading_connection
from ainews_site.infra.memo import cached
from feeds.core.ids import id_time
from feeds.core.partitions import month_of
from feeds.search.query.conditions import VISIBLE_SOURCES
from feeds.search.query.types import RECENT, Sample

FRESH = 3600
"""Lifetime of a cached sample in seconds. A sample of fewer than RECENT items is not cached."""
PRIVATE = (
    "SELECT s.source_id FROM feeds_subscription s JOIN feeds_source o ON o.id = s.source_id"
    " WHERE s.user_id = %s AND NOT o.is_public ORDER BY s.source_id"
)
# The + keeps a planner from sorting all items of each source.
_SAMPLE = (
    "SELECT language, min(id), count(*), 0 FROM (SELECT i.language, i.id FROM feeds_item i"
    f" WHERE +i.source_id IN {VISIBLE_SOURCES} ORDER BY i.id DESC LIMIT %s) newest"
    " GROUP BY language"
    " UNION ALL SELECT DISTINCT language, 0, 0, 0 FROM feeds_source"
    f" WHERE id IN {VISIBLE_SOURCES}"
    f" UNION ALL SELECT NULL, 0, 0, count(*) FROM feeds_item WHERE source_id IN {VISIBLE_SOURCES}"
)
_SAVED = (
    "SELECT DISTINCT i.language FROM feeds_itemstate t JOIN feeds_item i ON i.id = t.item_id"
    " WHERE t.user_id = %s AND t.is_saved"
)
_MONTH = f"SELECT count(*) FROM feeds_item WHERE source_id IN {VISIBLE_SOURCES} AND id >= %s"


def sample_for(user_id: int) -> Sample:
    """Return the reader's sample, which all readers of the same private sources share."""
    computed: list[Sample] = []

    def compute() -> tuple[Any, ...]:
        computed.append(_read(cursor, user_id))
        return tuple(computed[0])

    with reading_connection().cursor() as cursor:
        cursor.execute(PRIVATE, [user_id])
        key = blake2b(repr(cursor.fetchall()).encode(), digest_size=16).hexdigest()
        sample = Sample(*cached(f"search-sample-{key}", compute, fresh=FRESH))
        return sample if computed or sample.size == RECENT else _read(cursor, user_id)


def saved_languages(cursor: Any, user_id: int) -> list[str]:
    """Return the languages of the reader's saved items. They stay visible to the reader, who may
    have left their source, so the sample may lack them."""
    cursor.execute(_SAVED, [user_id])
    return [language for (language,) in cursor.fetchall()]


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
