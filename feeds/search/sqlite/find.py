# ruff: noqa: S608 - all of the SQL is our own, values are parameters
"""Ask the index of SQLite (FTS5)."""

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
"""Entries of the index that are read for items with some of the words: bm25() goes through all
of a word's."""
_VISIBLE_MATCHES = (
    " FROM feeds_search f CROSS JOIN feeds_item i ON i.id = f.rowid"
    # The + keeps SQLite from looking for each match in the list of each source.
    f" WHERE feeds_search MATCH %s AND +i.source_id IN {VISIBLE_SOURCES}"
)


class Finder:
    """Looks for one reader's query."""

    def __init__(self, query: Query, user_id: int) -> None:
        self.query, self.user_id = query, user_id
        self._counted: dict[Group, float] = {}

    def find(self, conditions: Conditions) -> list[Match]:
        """The newest with all words; a lower score is better. Without words, the newest."""
        if groups := self.query.content_groups:
            return self._search(conditions, groups, [], groups, CANDIDATES)
        where, unwanted = conditions.sql, []
        if self.query.excluded:
            matching = "SELECT rowid FROM feeds_search WHERE feeds_search MATCH %s"
            where += f" AND i.id NOT IN ({matching})"
            unwanted = [_any_of(self.query.excluded)]
        rows = _fetch(
            f"SELECT i.id FROM feeds_item i WHERE {where} ORDER BY i.id DESC LIMIT {CANDIDATES}",
            [*conditions.parameters, *unwanted],
        )
        return [Match(pk, 0.0) for (pk,) in rows]

    def find_partial(self, conditions: Conditions) -> Iterator[list[Match]]:
        """Those with some of the words and all that is quoted, the ones with the rarest words
        first; then with nothing but that."""
        quoted, helpful = self.query.quoted, self.query.optional
        if len(helpful) > 1 or (helpful and quoted):
            counted = self._items([*quoted, *helpful])
            items = {word: counted[word] for word in helpful}
            weighed = rarest(items, MOST_POSTINGS)
            for deciding in batches(items, PARTIAL_CANDIDATES):
                words = [*quoted, *(weighed | deciding)]
                yield self._search(conditions, quoted, [*deciding], words, PARTIAL_CANDIDATES)
        if helpful and quoted:
            yield self._search(conditions, quoted, [], quoted, CANDIDATES)

    def mark(self, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
        """{id: (title, snippet)} between START and END; the snippet is of the summary where
        the text has no match."""
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
        """The newest that have all of the first and any of the second, scored by `words`. They
        are of what the reader may see: what others alone see must not take their place."""
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
        """{the terms of a word: its rarity}; of one word alone it changes no order."""
        if len(words) == 1:
            return {_terms(words[0]): 1.0}
        items = self._items(words)
        return {_terms(word): rarity(items[word], self._sample.total) for word in words}

    def _items(self, words: Sequence[Group]) -> dict[Group, float]:
        """About how many items of the reader each word is in; counted once."""
        if missing := [word for word in words if word not in self._counted]:
            self._counted |= estimated(missing, self._sample, partial(_count, self.user_id))
        return self._counted

    @cached_property
    def _sample(self) -> Sample:
        return sample_for(self.user_id)

    def _expression(self, all_of: Sequence[Group], some_of: Sequence[Group]) -> str:
        """All of the first, any of the second, nothing that is excluded, in FTS5's language."""
        parts = [_any_of(group) for group in all_of]
        if some_of:
            parts.append(_any_group(some_of))
        found = " AND ".join(f"({part})" for part in parts)
        return f"({found}) NOT ({_any_of(self.query.excluded)})" if self.query.excluded else found


def _fetch(statement: str, parameters: Sequence[int | str]) -> list[tuple[Any, ...]]:
    with reading_connection().cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def _count(user_id: int, words: Sequence[Group], lowest: int) -> dict[Group, int]:
    """How many items with an id of at least `lowest` each word is in."""
    counted = f"SELECT count(*){_VISIBLE_MATCHES} AND f.rowid >= %s"
    return {word: _fetch(counted, [_any_of(word), user_id, lowest])[0][0] for word in words}


def _any_group(groups: Sequence[Group]) -> str:
    return " OR ".join(_any_of(group) for group in groups)


def _any_of(terms: Sequence[Term]) -> str:
    return " OR ".join(_terms(terms))


def _terms(terms: Sequence[Term]) -> tuple[str, ...]:
    return tuple(_quoted(term) for term in terms)


def _quoted(term: Term) -> str:
    """Quoted, nothing in it is an operator of FTS5."""
    text = term.text.rstrip("*") if term.is_prefix else term.text
    quoted = '"' + text.replace('"', '""') + '"'
    return quoted + ("*" if term.is_prefix else "")
