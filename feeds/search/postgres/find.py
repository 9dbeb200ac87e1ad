# ruff: noqa: S608 - all of the SQL is our own, values are parameters
"""Ask the index of PostgreSQL: partition by partition from the newest, until enough is found."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from ainews_site.infra.db_router import reading_connection
from feeds.core import partitions
from feeds.core.partitions import Span
from feeds.search.postgres.mark import mark
from feeds.search.postgres.words import Wanted, Weight, any_of, estimates, read_query, weigh
from feeds.search.query.conditions import HIGHEST, Conditions
from feeds.search.query.parser import Query
from feeds.search.query.rarity import batches
from feeds.search.query.sample import sample_for
from feeds.search.query.types import CANDIDATES, K1, PARTIAL_CANDIDATES, B, Match, Sample

TITLE = 5
"""A word of the title counts as so many of the text."""
EVERYWHERE, IN_TITLES = "{1, 1, 1, 1}", "{0, 0, 0, 1}"
FULL = 0.97
"""What a phrase or a word that is everywhere gets of ts_rank at most."""
COMMON = 1 / 30
"""Of a partition's items: what is in more of them is found sooner by going back in time than
by gathering all of its matches. (Measured: a bitmap's match costs 1 µs, a step back 4 µs.)"""


class Finder:
    """Looks for one reader's query."""

    def __init__(self, query: Query, user_id: int) -> None:
        self.query, self.user_id = query, user_id
        self._read: Wanted | None = None
        self._weighed: dict[str, Weight] | None = None

    def find(self, conditions: Conditions) -> list[Match]:
        """The newest with all words; a lower score is better. Without words, the newest."""
        with reading_connection().cursor() as cursor:
            wanted = self._wanted(cursor)
            if wanted.all_words:
                words = wanted.groups if len(wanted.groups) == 1 else self._weights(cursor)
                expression = wanted.all_words + wanted.without
                return _search(cursor, expression, conditions, words, CANDIDATES)
            if self.query.groups:
                return []
            return _newest(cursor, conditions, wanted.unwanted)

    def find_partial(self, conditions: Conditions) -> Iterator[list[Match]]:
        """Those with some of the words and all that is quoted, the ones with the rarest words
        first; then with nothing but that."""
        with reading_connection().cursor() as cursor:
            wanted = self._wanted(cursor)
            quoted = "".join(f" & ({text})" for text in wanted.quoted)
            helpful = [text for text in wanted.groups if text not in wanted.quoted]
            if len(helpful) > 1 or (helpful and quoted):
                words = self._weights(cursor)
                counts = {text: words[text].items for text in helpful}
                for deciding in batches(counts, PARTIAL_CANDIDATES):
                    some = f"({any_of(deciding)}){quoted}{wanted.without}"
                    yield _search(cursor, some, conditions, words, PARTIAL_CANDIDATES)
            if helpful and quoted:
                words = dict.fromkeys(wanted.quoted, Weight())
                quoted = quoted.removeprefix(" & ") + wanted.without
                yield _search(cursor, quoted, conditions, words, CANDIDATES)

    def mark(self, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
        """{id: (title, snippet)} between START and END; the snippet is of the summary where
        the text has no match."""
        if not ids:
            return {}
        with reading_connection().cursor() as cursor:
            groups = self._wanted(cursor).groups
            return mark(cursor, any_of(groups), ids) if groups else {}

    def _wanted(self, cursor: Any) -> Wanted:
        """Read once: what was found may have been remembered."""
        if self._read is None:
            self._read = read_query(cursor, self.query, self._sample.languages)
        return self._read

    def _weights(self, cursor: Any) -> dict[str, Weight]:
        """Of the words of the query, counted once."""
        if self._weighed is None:
            groups = self._wanted(cursor).groups
            self._weighed = weigh(cursor, groups, self.user_id, self._sample)
        return self._weighed

    @cached_property
    def _sample(self) -> Sample:
        return sample_for(self.user_id)


def _newest(cursor: Any, conditions: Conditions, unwanted: str) -> list[Match]:
    where, parameters = conditions.sql, [*conditions.parameters]
    if unwanted:
        where += (
            " AND NOT EXISTS (SELECT 1 FROM feeds_search f WHERE f.item_id = i.id"
            " AND f.vector @@ CAST(%s AS tsquery))"
        )
        parameters.append(unwanted)
    cursor.execute(
        f"SELECT i.id, 0 FROM feeds_item i WHERE {where} ORDER BY i.id DESC LIMIT {CANDIDATES}",
        parameters,
    )
    return [Match(*row) for row in cursor.fetchall()]


def _search(
    cursor: Any, expression: str, conditions: Conditions, words: Mapping[str, Weight], limit: int
) -> list[Match]:
    """One arm a partition, the newest first: PostgreSQL begins one when those before it have
    not filled the list. An arm gathers its matches from GIN, as `+ 0` keeps it from walking
    back by the primary key, unless they are common."""
    spans = partitions.known_spans(cursor)
    is_common = not conditions.is_of_few_sources and _is_common(cursor, expression, spans)
    order = "i.id" if is_common else "i.id + 0"
    arms, parameters = [], []
    for low, high in _ranges(spans, conditions):
        arms.append(
            f"(SELECT i.id, i.vector FROM {_rows(conditions, low, high)} i"
            f" WHERE i.vector @@ CAST(%s AS tsquery) AND {conditions.sql}"
            f" ORDER BY {order} DESC LIMIT {limit})"
        )
        parameters += [expression, *conditions.parameters]
    if not arms:
        return []
    score, weights = _score(words)
    cursor.execute(
        f"SELECT id, {score} FROM (SELECT id, vector || CAST('' AS tsvector) AS vector,"
        f" {K1} * ({1 - B} + {B} * length(vector) / avg(length(vector)) OVER ()) AS length"
        f" FROM ({' UNION ALL '.join(arms)} LIMIT {limit}) found OFFSET 0) found",
        [*weights, *parameters],
    )
    return [Match(*row) for row in cursor.fetchall()]


def _score(words: Mapping[str, Weight]) -> tuple[str, list[str]]:
    """(SQL of BM25 over what was found, negative as the best come first; its parameters).

    ts_rank has no rarity and no such length, but tells how often a word is there: it adds up
    1, 1/4, 1/9, … over its places, divided by 1.645, and so lacks about 1 / (1.645 (n + 0.6))
    to 1. Alternatives share it evenly.
    """
    parts, parameters = [], []
    for text, weight in words.items():
        # A word in two languages is two alternatives, of which a text has one.
        counts, terms = [], text.count("|") + 1
        for weights, factor in ((EVERYWHERE, 1), (IN_TITLES, TITLE - 1)):
            rank = f"least({terms} * ts_rank('{weights}', vector, CAST(%s AS tsquery)), {FULL})"
            counts.append(f"{factor} * (1 / (1.645 * (1 - {rank})) - 0.608)")
            parameters.append(text)
        parts.append(f"{weight.rarity} * (1 - 1 / (1 + ({' + '.join(counts)}) / length))")
    return f"-({' + '.join(parts)})", parameters


def _is_common(cursor: Any, expression: str, spans: Sequence[Span]) -> bool:
    """What the planner's statistics say of the newest partition that has some."""
    for span in reversed(spans):
        if span.rows >= CANDIDATES:
            found = estimates(cursor, span.table("feeds_search"), [expression])
            return found[expression] > span.rows * COMMON
    return False


def _ranges(spans: Sequence[Span], conditions: Conditions) -> list[tuple[int, int]]:
    """Ranges of ids that begin with the partitions, the newest first; nothing is between."""
    lows = [span.low for span in reversed(spans)]
    return [
        (max(low, conditions.lowest), min(high, conditions.highest))
        for low, high in zip([*lows, 0], [HIGHEST, *lows], strict=True)
        if low < conditions.highest and high > conditions.lowest
    ]


def _rows(conditions: Conditions, low: int, high: int) -> str:
    """Rows of the index within a range, with the columns of the item that are asked for."""
    within = f"f.item_id >= {low} AND f.item_id < {high}"
    if not (conditions.columns or conditions.is_of_few_sources):
        return f"(SELECT item_id AS id, source_id, vector FROM feeds_search f WHERE {within})"
    columns = "".join(f", o.{name}" for name in sorted(conditions.columns))
    return (
        f"(SELECT o.id, o.source_id, f.vector{columns} FROM feeds_search f"
        f" JOIN feeds_item o ON o.id = f.item_id WHERE {within}"
        f" AND o.id >= {low} AND o.id < {high})"
    )
