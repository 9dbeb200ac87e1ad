# ruff: noqa: S608 - all of the SQL is our own, values are parameters
"""The search backend of PostgreSQL.

It queries the partitions from the newest to the oldest, until it has enough matches.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from ainews_site.infra.db_router import reading_connection
from feeds.core import partitions
from feeds.core.partitions import Span
from feeds.search.postgres.mark import mark
from feeds.search.postgres.words import ParsedQuery, Weight, any_of, estimates, read_query, weigh
from feeds.search.query.conditions import HIGHEST, Conditions
from feeds.search.query.parser import Query
from feeds.search.query.rarity import batches
from feeds.search.query.sample import sample_for, saved_languages
from feeds.search.query.types import CANDIDATES, K1, PARTIAL_CANDIDATES, B, Match, Sample

TITLE = 5
"""Weight of a word in the title, relative to one in the text."""
EVERYWHERE, IN_TITLES = "{1, 1, 1, 1}", "{0, 0, 0, 1}"
"""Weights for ts_rank of the labels D, C, B and A. Titles have label A."""
FULL = 0.97
"""Upper limit of ts_rank, which approaches 1 for phrases and very frequent words."""
COMMON = 1 / 30
"""If a larger share of a partition's items matches, a scan from the newest item is faster than
collecting all matches from the GIN index. A match of a bitmap costs 1 µs, a scanned item 4 µs."""


class Finder:
    """Finds the matches of one query for one reader, and marks them."""

    def __init__(self, query: Query, user_id: int) -> None:
        self.query, self.user_id = query, user_id
        self._parsed_query: ParsedQuery | None = None
        self._word_weights: dict[str, Weight] | None = None

    def find(self, conditions: Conditions) -> list[Match]:
        """Return the newest matches with all words, unsorted, at most CANDIDATES.

        A query without words returns the newest items that meet the conditions, with a score of 0.
        """
        with reading_connection().cursor() as cursor:
            parsed = self._parsed(cursor)
            if parsed.all_words:
                words = parsed.groups if len(parsed.groups) == 1 else self._weights(cursor)
                expression = parsed.all_words + parsed.without
                return _search(cursor, expression, conditions, words, CANDIDATES)
            if self.query.groups:
                return []
            return _newest(cursor, conditions, parsed.excluded)

    def find_partial(self, conditions: Conditions) -> Iterator[list[Match]]:
        """Yield lists of matches that have all phrases and some of the optional words.

        Each list needs any of a batch of words, the batch of the rarest words first. The last list
        needs the phrases alone.
        """
        with reading_connection().cursor() as cursor:
            parsed = self._parsed(cursor)
            quoted = "".join(f" & ({text})" for text in parsed.quoted)
            optional = [text for text in parsed.groups if text not in parsed.quoted]
            if len(optional) > 1 or (optional and quoted):
                words = self._weights(cursor)
                counts = {text: words[text].items for text in optional}
                for batch in batches(counts, PARTIAL_CANDIDATES):
                    expression = f"({any_of(batch)}){quoted}{parsed.without}"
                    yield _search(cursor, expression, conditions, words, PARTIAL_CANDIDATES)
            if optional and quoted:
                words = dict.fromkeys(parsed.quoted, Weight())
                expression = quoted.removeprefix(" & ") + parsed.without
                yield _search(cursor, expression, conditions, words, CANDIDATES)

    def mark(self, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
        """Return {id: (title, snippet)} with START and END around each match.

        The snippet is from the text, or from the summary if only that has a match.
        """
        if not ids:
            return {}
        with reading_connection().cursor() as cursor:
            groups = self._parsed(cursor).groups
            return mark(cursor, any_of(groups), ids) if groups else {}

    def _parsed(self, cursor: Any) -> ParsedQuery:
        """Return the translated query, which is computed on the first call."""
        if self._parsed_query is None:
            languages = {*self._sample.languages, *saved_languages(cursor, self.user_id)}
            self._parsed_query = read_query(cursor, self.query, sorted(languages))
        return self._parsed_query

    def _weights(self, cursor: Any) -> dict[str, Weight]:
        """Return {tsquery of a group: weight}, which is computed on the first call."""
        if self._word_weights is None:
            groups = self._parsed(cursor).groups
            self._word_weights = weigh(cursor, groups, self.user_id, self._sample)
        return self._word_weights

    @cached_property
    def _sample(self) -> Sample:
        return sample_for(self.user_id)


def _newest(cursor: Any, conditions: Conditions, excluded: str) -> list[Match]:
    where, parameters = conditions.sql, [*conditions.parameters]
    if excluded:
        where += (
            " AND NOT EXISTS (SELECT 1 FROM feeds_search f WHERE f.item_id = i.id"
            " AND f.vector @@ CAST(%s AS tsquery))"
        )
        parameters.append(excluded)
    cursor.execute(
        f"SELECT i.id, 0 FROM feeds_item i WHERE {where} ORDER BY i.id DESC LIMIT {CANDIDATES}",
        parameters,
    )
    return [Match(*row) for row in cursor.fetchall()]


def _search(
    cursor: Any, expression: str, conditions: Conditions, words: Mapping[str, Weight], limit: int
) -> list[Match]:
    """Return the newest `limit` items that match `expression`, scored by `words`.

    The query is a UNION ALL with an arm for each partition, the newest first. PostgreSQL executes
    an arm only if those before it returned fewer than `limit` items. An arm collects its matches
    from the GIN index, as `+ 0` keeps the planner from a scan of the primary key. If matches are
    common, that scan is faster.
    """
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
    # A single arm in parentheses has its LIMIT already, and may have no second one.
    union = f"{' UNION ALL '.join(arms)} LIMIT {limit}" if len(arms) > 1 else arms[0]
    score, weights = _score(words)
    cursor.execute(
        f"SELECT id, {score} FROM (SELECT id, vector || CAST('' AS tsvector) AS vector,"
        f" {K1} * ({1 - B} + {B} * length(vector) / avg(length(vector)) OVER ()) AS length"
        f" FROM ({union}) found OFFSET 0) found",
        [*weights, *parameters],
    )
    return [Match(*row) for row in cursor.fetchall()]


def _score(words: Mapping[str, Weight]) -> tuple[str, list[str]]:
    """Return (SQL of the score, its parameters). The score is the negated BM25.

    The frequency of a word follows from ts_rank. For n occurrences, ts_rank is the sum of
    1, 1/4, 1/9, … (n terms) divided by 1.645, so it is about 1 - 1 / (1.645 (n + 0.6)). ts_rank is
    divided by the number of alternatives of a tsquery.
    """
    parts, parameters = [], []
    for text, weight in words.items():
        # A word with different stems in two languages has two alternatives. A text has one.
        counts, terms = [], text.count("|") + 1
        for weights, factor in ((EVERYWHERE, 1), (IN_TITLES, TITLE - 1)):
            rank = f"least({terms} * ts_rank('{weights}', vector, CAST(%s AS tsquery)), {FULL})"
            counts.append(f"{factor} * (1 / (1.645 * (1 - {rank})) - 0.608)")
            parameters.append(text)
        parts.append(f"{weight.rarity} * (1 - 1 / (1 + ({' + '.join(counts)}) / length))")
    return f"-({' + '.join(parts)})", parameters


def _is_common(cursor: Any, expression: str, spans: Sequence[Span]) -> bool:
    """Return True if matches are common by the statistics of the newest partition that is large
    enough."""
    for span in reversed(spans):
        if span.rows >= CANDIDATES:
            rows = estimates(cursor, span.table("feeds_search"), [expression])
            return rows[expression] > span.rows * COMMON
    return False


def _ranges(spans: Sequence[Span], conditions: Conditions) -> list[tuple[int, int]]:
    """Return ranges [low, high) of ids, the newest first, which cover all ids that the conditions
    allow. Each range starts with a partition."""
    lows = [span.low for span in reversed(spans)]
    return [
        (max(low, conditions.lowest), min(high, conditions.highest))
        for low, high in zip([*lows, 0], [HIGHEST, *lows], strict=True)
        if low < conditions.highest and high > conditions.lowest
    ]


def _rows(conditions: Conditions, low: int, high: int) -> str:
    """Return SQL of the index rows in [low, high), with the columns that the conditions read."""
    within = f"f.item_id >= {low} AND f.item_id < {high}"
    if not (conditions.columns or conditions.is_of_few_sources):
        return f"(SELECT item_id AS id, source_id, vector FROM feeds_search f WHERE {within})"
    columns = "".join(f", o.{name}" for name in sorted(conditions.columns))
    return (
        f"(SELECT o.id, o.source_id, f.vector{columns} FROM feeds_search f"
        f" JOIN feeds_item o ON o.id = f.item_id WHERE {within}"
        f" AND o.id >= {low} AND o.id < {high})"
    )
