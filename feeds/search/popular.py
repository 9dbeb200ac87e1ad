"""What many search for is looked for once: the numbers of what was found, and their snippets,
are cached for all who see the same. Rows are read anew, by who may see them now."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from hashlib import blake2b
from typing import NamedTuple

from django.db import connection

from accounts.models import User
from ainews_site.infra.db_router import reading_connection
from ainews_site.infra.memo import cached
from feeds.coordination.revisions import news_for
from feeds.search.postgres import find as postgres_find
from feeds.search.query.conditions import Conditions
from feeds.search.query.parser import Query
from feeds.search.query.types import ENOUGH, LOOSE, Match
from feeds.search.sqlite import find as sqlite_find

FRESH = 600
"""Seconds, unless something new comes or changes; then "unread" has another horizon too."""
_PRIVATE = (
    "SELECT s.source_id FROM feeds_subscription s JOIN feeds_source o ON o.id = s.source_id"
    " WHERE s.user_id = %s AND NOT o.is_public UNION ALL"
    " SELECT -t.item_id FROM feeds_itemstate t JOIN feeds_item i ON i.id = t.item_id"
    " JOIN feeds_source o ON o.id = i.source_id"
    " WHERE t.user_id = %s AND t.is_saved AND NOT o.is_public"
)


class Found(NamedTuple):
    """The best first: `with_all` that have all words, then those with some. `validator` is of what
    was known when it was looked for."""

    ids: tuple[int, ...]
    with_all: int
    problems: tuple[str, ...]
    validator: tuple[int, int]


class Search:
    """One reader's search for one query."""

    def __init__(self, user: User, text: str, query: Query) -> None:
        self.user, self.query = user, query
        self._news = news_for(user)
        of_whom = f"{self._sight()}:{text.strip()}"
        self._key = f"search-{blake2b(of_whom.encode(), digest_size=16).hexdigest()}"
        self._validator = (self._news.seq, self._news.content)
        self.is_current = True
        """Whether all that was given is of now: while somebody else looks, it may be older."""

    def find(self) -> Found:
        found = Found(*cached(self._key, self._find, fresh=FRESH, validator=self._validator))
        self.is_current &= found.validator == self._validator
        return found

    def find_some(self) -> list[int]:
        """The best with some of the words, those with all among them: what is asked for where
        few have all of them."""
        return self._some(Conditions(self.user, self.query), set())

    def mark(self, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
        """{id: (title, snippet)}, as the finder's."""
        if not ids:
            return {}
        validator = (self._validator, tuple(ids))
        of_when, marks = cached(
            f"{self._key}-{ids[0]}-{len(ids)}",
            lambda: (validator, self._finder.mark(ids)),
            fresh=FRESH,
            validator=validator,
        )
        self.is_current &= of_when == validator
        return marks

    def _find(self) -> tuple[tuple[int, ...], int, tuple[str, ...], tuple[int, int]]:
        conditions = Conditions(self.user, self.query)
        ids = _best(self._finder.find(conditions))
        with_all = len(ids)
        if with_all < ENOUGH:
            ids += self._some(conditions, set(ids))
        return tuple(ids), with_all, tuple(conditions.problems), self._validator

    def _some(self, conditions: Conditions, known: set[int]) -> list[int]:
        """Those with some of the words, and not `known` to have them all."""
        found: list[int] = []
        for matches in self._finder.find_some(conditions):
            found += _best(one for one in matches if one.id not in known)
            if len(found) >= ENOUGH:
                break
            known = known.union(found)
        return found[:LOOSE]

    @cached_property
    def _finder(self) -> postgres_find.Finder | sqlite_find.Finder:
        """Where the words are looked for: the room of this database."""
        is_postgres = connection.vendor == "postgresql"
        finder = postgres_find.Finder if is_postgres else sqlite_find.Finder
        return finder(self.query, self.user.pk)

    def _sight(self) -> str:
        """The same for all who would find the same: who see no more than the catalogue, and
        ask for nothing of their own."""
        if self.query.sources or self.query.folders or self.query.states:
            return f"{self.user.pk} {self._news.cache_version}"
        with reading_connection().cursor() as cursor:
            cursor.execute(_PRIVATE, [self.user.pk, self.user.pk])
            return str(sorted(number for (number,) in cursor.fetchall()))


def _best(matches: Iterable[Match]) -> list[int]:
    return [one.id for one in sorted(matches, key=lambda one: (one.score, -one.id))]
