# ruff: noqa: S608 - all of the SQL is our own, values are parameters
"""Ask the index of SQLite (FTS5)."""

from collections.abc import Iterator, Sequence

from ainews_site.infra.db_router import reading_connection
from feeds.search.query.conditions import Conditions
from feeds.search.query.parser import Group, Query, Term
from feeds.search.query.rarity import batches, rarest
from feeds.search.query.types import CANDIDATES, LOOSE_CANDIDATES, RECENT, Match
from feeds.search.sqlite.mark import mark

WEIGHTS = "5.0, 2.0, 1.0"
"""Of title, summary and text in the ranking."""
MOST_POSTINGS = 50_000
"""Entries of the index that are read for items with some of the words: bm25() goes through all
of a word's to know how rare it is."""


class Finder:
    """Looks for one query."""

    def __init__(self, query: Query) -> None:
        self.query = query

    def find(self, conditions: Conditions) -> list[Match]:
        """The newest with all words; a lower score is better. Without words, the newest."""
        if groups := self.query.meant:
            return _search(conditions, self._expression(groups, []), CANDIDATES)
        where, unwanted = conditions.sql, []
        if self.query.excluded:
            matching = "SELECT rowid FROM feeds_search WHERE feeds_search MATCH %s"
            where += f" AND i.id NOT IN ({matching})"
            unwanted = [_any_of(self.query.excluded)]
        return _fetch(
            f"SELECT i.id, 0 FROM feeds_item i WHERE {where} ORDER BY i.id DESC LIMIT {CANDIDATES}",
            [*conditions.parameters, *unwanted],
        )

    def find_some(self, conditions: Conditions) -> Iterator[list[Match]]:
        """Those with some of the words and all that is quoted, the ones with the rarest words
        first; then with nothing but that."""
        quoted, helpful = self.query.quoted, self.query.helpful
        if len(helpful) > 1 or (helpful and quoted):
            counts = _recent_counts(helpful)
            weighed = rarest(counts, MOST_POSTINGS)
            for deciding in batches(counts, LOOSE_CANDIDATES):
                some = [*(weighed | deciding)]
                among = self._expression(quoted, [*deciding]) if len(some) > len(deciding) else ""
                yield _search(conditions, self._expression(quoted, some), LOOSE_CANDIDATES, among)
        if helpful and quoted:
            yield _search(conditions, self._expression(quoted, []), CANDIDATES)

    def mark(self, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
        """{id: (title, snippet)} between START and END; the snippet is of the summary where
        the text has no match."""
        if not ids or not self.query.meant:
            return {}
        return mark(_any_group(self.query.meant), ids)

    def _expression(self, all_of: Sequence[Group], some_of: Sequence[Group]) -> str:
        """All of the first, any of the second, nothing that is excluded, in FTS5's language."""
        parts = [_any_of(group) for group in all_of]
        if some_of:
            parts.append(_any_group(some_of))
        found = " AND ".join(f"({part})" for part in parts)
        return f"({found}) NOT ({_any_of(self.query.excluded)})" if self.query.excluded else found


def _search(conditions: Conditions, expression: str, limit: int, among: str = "") -> list[Match]:
    """The newest matches of `expression`; with `among` those of its newest matches. These too
    are of what the reader may see: what others alone see must not take their place."""
    score = f"bm25(feeds_search, {WEIGHTS})"
    newest = (
        "SELECT i.id{} FROM feeds_search f CROSS JOIN feeds_item i ON i.id = f.rowid"
        f" WHERE feeds_search MATCH %s AND {conditions.sql} ORDER BY f.rowid DESC LIMIT {limit}"
    )
    if not among:
        return _fetch(newest.format(f", {score}"), [expression, *conditions.parameters])
    return _fetch(
        # The + keeps SQLite from looking for each of them in the whole list of each word.
        f"SELECT rowid, {score} FROM feeds_search"
        f" WHERE feeds_search MATCH %s AND +rowid IN ({newest.format('')})",
        [expression, among, *conditions.parameters],
    )


def _fetch(statement: str, parameters: Sequence[int | str]) -> list[Match]:
    with reading_connection().cursor() as cursor:
        cursor.execute(statement, parameters)
        return [Match(*row) for row in cursor.fetchall()]


def _recent_counts(groups: Sequence[Group]) -> dict[Group, float]:
    """About how many items each is in, by what the newest say."""
    count = (
        "(SELECT count(*) FROM feeds_search WHERE feeds_search MATCH %s AND rowid >= recent.low)"
    )
    with reading_connection().cursor() as cursor:
        cursor.execute(
            f"SELECT (SELECT max(seq) FROM feeds_itemkey), {', '.join([count] * len(groups))}"
            " FROM (SELECT coalesce((SELECT id FROM feeds_search_docsize ORDER BY id DESC"
            f" LIMIT 1 OFFSET {RECENT - 1}), 0) AS low) recent",
            [_any_of(group) for group in groups],
        )
        total, *counts = cursor.fetchone()
    scale = max(1.0, (total or 0) / RECENT)
    return {group: count * scale for group, count in zip(groups, counts, strict=True)}


def _any_group(groups: Sequence[Group]) -> str:
    return " OR ".join(_any_of(group) for group in groups)


def _any_of(terms: Sequence[Term]) -> str:
    return " OR ".join(_quoted(term) for term in terms)


def _quoted(term: Term) -> str:
    """Quoted, nothing in it is an operator of FTS5."""
    text = term.text.rstrip("*") if term.is_prefix else term.text
    quoted = '"' + text.replace('"', '""') + '"'
    return quoted + ("*" if term.is_prefix else "")
