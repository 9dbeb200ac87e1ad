"""Caches searches, and shares them between readers who may see the same items.

The cache stores the ids of the matches and their marked texts. The caller reads the rows from the
database and checks again that the reader may see them.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from hashlib import blake2b
from typing import NamedTuple

from django.db import connection

from accounts.models import User
from ainews_site.infra.db_router import reading_connection
from ainews_site.infra.memo import cached
from feeds.coordination.revisions import news_for
from feeds.models.narrow import fetch, marks
from feeds.search.postgres import find as postgres_find
from feeds.search.query.conditions import Conditions
from feeds.search.query.parser import Query
from feeds.search.query.types import ENOUGH, MAX_PARTIAL, Match
from feeds.search.sqlite import find as sqlite_find

FRESH = 600
"""Lifetime of a cached search in seconds. New and changed items invalidate it sooner. The horizon
of `is:unread` is as old as the cached search."""
_PRIVATE = (  # the private sources and, negated, the saved items of private sources
    "SELECT s.source_id FROM feeds_subscription s JOIN feeds_source o ON o.id = s.source_id"
    " WHERE s.user_id = %s AND NOT o.is_public UNION ALL"
    # The ledger has no partitions, which take longer to plan for than to read. An item that it does
    # not have counts as private.
    " SELECT -t.item_id FROM feeds_itemstate t LEFT JOIN feeds_itemkey k ON k.item_id = t.item_id"
    " LEFT JOIN feeds_source o ON o.id = k.source_id"
    " WHERE t.user_id = %s AND t.is_saved AND NOT COALESCE(o.is_public, FALSE)"
)


_Row = tuple[tuple[int, ...], tuple[int, ...], int, tuple[str, ...], tuple[int, int]]
"""SearchMatches as a plain tuple, which the cache stores."""


class SearchMatches(NamedTuple):
    """Ids of the items that match, the best first.

    The first `with_all` have all words of the query, the others some of them. `stories` are the
    ids of their stories in the same order, 0 for none. `problems` are sentences for the reader.
    `validator` is (newest seq, content revision) before the search.
    """

    ids: tuple[int, ...]
    stories: tuple[int, ...]
    with_all: int
    problems: tuple[str, ...]
    validator: tuple[int, int]


class Search:
    """One reader's search for one query."""

    def __init__(self, user: User, text: str, query: Query) -> None:
        self.user, self.query = user, query
        self._news = news_for(user)
        scope_and_text = f"{self._scope()}:{text.strip()}"
        self._key = f"matches-{blake2b(scope_and_text.encode(), digest_size=16).hexdigest()}"
        self._validator = (self._news.seq, self._news.content)
        self.is_current = True
        """False once a result was stale, as while another caller recomputes it."""

    def find(self) -> SearchMatches:
        """Return the matches, which may come from the cache."""
        row = cached(self._key, self._find, fresh=FRESH, validator=self._validator)
        matches = SearchMatches(*row)
        self.is_current &= matches.validator == self._validator
        return matches

    def find_partial(self) -> list[int]:
        """Return the ids of the best items with some or all of the words, uncached."""
        return self._find_partial(Conditions(self.user, self.query), set())

    def mark(self, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
        """Return {id: (title, snippet)} with START and END around each match, for the items of one
        page."""
        if not ids:
            return {}
        validator = (self._validator, tuple(ids))
        marked_with, marks = cached(
            f"{self._key}-{ids[0]}-{len(ids)}",
            lambda: (validator, self._finder.mark(ids)),
            fresh=FRESH,
            validator=validator,
        )
        self.is_current &= marked_with == validator
        return marks

    def _find(self) -> _Row:
        conditions = Conditions(self.user, self.query)
        ids = _best(self._finder.find(conditions))
        with_all = len(ids)
        if with_all < ENOUGH:
            ids += self._find_partial(conditions, set(ids))
        stories = _stories(ids)
        return tuple(ids), stories, with_all, tuple(conditions.problems), self._validator

    def _find_partial(self, conditions: Conditions, excluded: set[int]) -> list[int]:
        """Return the ids of the best items with some of the words, without the `excluded` ids."""
        ids: list[int] = []
        for matches in self._finder.find_partial(conditions):
            ids += _best(match for match in matches if match.id not in excluded)
            if len(ids) >= ENOUGH:
                break
            excluded = excluded.union(ids)
        return ids[:MAX_PARTIAL]

    @cached_property
    def _finder(self) -> postgres_find.Finder | sqlite_find.Finder:
        """The search backend of this database."""
        is_postgres = connection.vendor == "postgresql"
        finder = postgres_find.Finder if is_postgres else sqlite_find.Finder
        return finder(self.query, self.user.pk)

    def _scope(self) -> str:
        """Return a text that is equal for all readers to whom the query returns the same items.

        A query for sources, folders or states depends on the reader. Any other depends on the
        private items that the reader may see, and most readers have none.
        """
        if self.query.sources or self.query.folders or self.query.states:
            return f"{self.user.pk} {self._news.cache_version}"
        with reading_connection().cursor() as cursor:
            cursor.execute(_PRIVATE, [self.user.pk, self.user.pk])
            return str(sorted(pk for (pk,) in cursor.fetchall()))


def _stories(ids: Sequence[int]) -> tuple[int, ...]:
    if not ids:
        return ()
    sql = f"SELECT id, story_id FROM feeds_item WHERE id IN ({marks(ids)})"  # noqa: S608 - our own
    stories = dict(fetch(sql, ids))
    return tuple(stories.get(pk) or 0 for pk in ids)


def _best(matches: Iterable[Match]) -> list[int]:
    """Return the ids by score. Of items with equal scores, the newer comes first."""
    return [match.id for match in sorted(matches, key=lambda match: (match.score, -match.id))]
