# ruff: noqa: S608 - all of the SQL is our own, values are parameters
"""The search backend of SQLite, which queries an FTS5 index."""

from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from typing import Any

from ainews_site.infra.db_router import reading_connection
from feeds.search.query.conditions import VISIBLE_SOURCES, Conditions
from feeds.search.query.parser import Group, Query, Term
from feeds.search.query.rarity import batches, estimated, rarest, rarity
from feeds.search.query.sample import sample_for
from feeds.search.query.types import CANDIDATES, PARTIAL_CANDIDATES, Match, Sample
from feeds.search.sqlite.mark import mark
from feeds.search.sqlite.score import Candidates, Weights

MOST_POSTINGS = 50_000
"""Maximum number of postings that are read to score items with some of the words, as bm25() reads
all postings of a word. The rarest words are scored."""
_VISIBLE_MATCHES = (
    " FROM feeds_search f CROSS JOIN feeds_item i ON i.id = f.rowid"
    # The + keeps SQLite from the index of sources, in which it would search for each match.
    f" WHERE feeds_search MATCH %s AND +i.source_id IN {VISIBLE_SOURCES}"
)


class Finder:
    """Finds the matches of one query for one reader, and marks them."""

    def __init__(self, query: Query, user_id: int) -> None:
        self.query, self.user_id = query, user_id
        self._counted: dict[Group, float] = {}

    def find(self, conditions: Conditions) -> list[Match]:
        """Return the newest matches with all words, unsorted, at most CANDIDATES.

        A query without words returns the newest items that meet the conditions, with a score of 0.
        """
        if groups := self.query.content_groups:
            return self._search(conditions, groups, [], groups, CANDIDATES)
        where, excluded = conditions.sql, []
        if self.query.excluded:
            matching = "SELECT rowid FROM feeds_search WHERE feeds_search MATCH %s"
            where += f" AND i.id NOT IN ({matching})"
            excluded = [_any_of(self.query.excluded)]
        rows = _fetch(
            f"SELECT i.id FROM feeds_item i WHERE {where} ORDER BY i.id DESC LIMIT {CANDIDATES}",
            [*conditions.parameters, *excluded],
        )
        return [Match(pk, 0.0) for (pk,) in rows]

    def find_partial(self, conditions: Conditions) -> Iterator[list[Match]]:
        """Yield lists of matches that have all phrases and some of the optional words.

        Each list needs any of a batch of words, the batch of the rarest words first. The last list
        needs the phrases alone.
        """
        quoted, optional = self.query.quoted, self.query.optional
        if len(optional) > 1 or (optional and quoted):
            counts = self._items([*quoted, *optional])
            items = {word: counts[word] for word in optional}
            scored = rarest(items, MOST_POSTINGS)
            for batch in batches(items, PARTIAL_CANDIDATES):
                words = [*quoted, *(scored | batch)]
                yield self._search(conditions, quoted, [*batch], words, PARTIAL_CANDIDATES)
        if optional and quoted:
            yield self._search(conditions, quoted, [], quoted, CANDIDATES)

    def mark(self, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
        """Return {id: (title, snippet)} with START and END around each match.

        The snippet is from the text, or from the summary if only that has a match.
        """
        if not ids or not self.query.content_groups:
            return {}
        return mark(_any_group(self.query.content_groups), ids)

    def _search(
        self,
        conditions: Conditions,
        all_of: Sequence[Group],
        some_of: Sequence[Group],
        words: Sequence[Group],
        limit: int,
    ) -> list[Match]:
        """Return the newest items with all of `all_of` and any of `some_of`, scored by `words`.

        `limit` applies after the conditions, as items that the reader may not see must not take
        the place of others.
        """
        rows = _fetch(
            "SELECT i.id FROM feeds_search f CROSS JOIN feeds_item i ON i.id = f.rowid"
            f" WHERE feeds_search MATCH %s AND {conditions.sql}"
            f" ORDER BY f.rowid DESC LIMIT {limit}",
            [self._expression(all_of, some_of), *conditions.parameters],
        )
        if not rows:
            return []
        weights = self._weights(words)
        with reading_connection().cursor() as cursor:
            return Candidates(cursor, [pk for (pk,) in rows]).matches(weights)

    def _weights(self, words: Sequence[Group]) -> Weights:
        """Return {terms of a word: rarity}, or 1 for a single word, as it changes no order."""
        if len(words) == 1:
            return {_terms(words[0]): 1.0}
        items = self._items(words)
        return {_terms(word): rarity(items[word], self._sample.total) for word in words}

    def _items(self, words: Sequence[Group]) -> dict[Group, float]:
        """Return {word: estimated number of visible items with it} of at least these words."""
        if missing := [word for word in words if word not in self._counted]:
            self._counted |= estimated(missing, self._sample, partial(_count, self.user_id))
        return self._counted

    @cached_property
    def _sample(self) -> Sample:
        return sample_for(self.user_id)

    def _expression(self, all_of: Sequence[Group], some_of: Sequence[Group]) -> str:
        """Return the FTS5 query for all of `all_of`, any of `some_of` and no excluded term."""
        parts = [_any_of(group) for group in all_of]
        if some_of:
            parts.append(_any_group(some_of))
        wanted = " AND ".join(f"({part})" for part in parts)
        if not self.query.excluded:
            return wanted
        return f"({wanted}) NOT ({_any_of(self.query.excluded)})"


def _fetch(statement: str, parameters: Sequence[int | str]) -> list[tuple[Any, ...]]:
    with reading_connection().cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def _count(user_id: int, words: Sequence[Group], lowest: int) -> dict[Group, int]:
    """Return {word: number of visible items with it whose id is at least `lowest`}."""
    statement = f"SELECT count(*){_VISIBLE_MATCHES} AND f.rowid >= %s"
    return {word: _fetch(statement, [_any_of(word), user_id, lowest])[0][0] for word in words}


def _any_group(groups: Sequence[Group]) -> str:
    return " OR ".join(_any_of(group) for group in groups)


def _any_of(terms: Sequence[Term]) -> str:
    return " OR ".join(_terms(terms))


def _terms(terms: Sequence[Term]) -> tuple[str, ...]:
    return tuple(_quoted(term) for term in terms)


def _quoted(term: Term) -> str:
    """Quote the term, so that FTS5 reads no operator in it."""
    text = term.text.rstrip("*") if term.is_prefix else term.text
    quoted = '"' + text.replace('"', '""') + '"'
    return quoted + ("*" if term.is_prefix else "")
