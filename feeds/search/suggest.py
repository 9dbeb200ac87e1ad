# ruff: noqa: S608 - all of the SQL is our own, values are parameters
"""Proposes another spelling of a query that has no match.

The words come from the newest titles that the reader may see, and a proposal must have a match for
the reader. So it shows no word of other readers' private sources.
"""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from typing import NamedTuple

from accounts.models import User
from ainews_site.infra.memo import cached
from feeds.models.narrow import fetch
from feeds.search.popular import Search
from feeds.search.query.conditions import VISIBLE_SOURCES
from feeds.search.query.parser import parse_query
from feeds.search.query.sample import PRIVATE
from feeds.search.query.spelling import Known, close_words, typed_words, vocabulary, with_words
from feeds.search.query.types import RECENT

FRESH = 600
"""Lifetime of a cached vocabulary in seconds."""
MOST_UNKNOWN = 3
"""A query with more unknown words than this gets no proposal."""
ATTEMPTS = 3
"""Maximum number of proposals that are searched for until one has a match."""
# The + keeps a planner from sorting all items of each source.
_TITLES = (
    f"SELECT i.title FROM feeds_item i WHERE +i.source_id IN {VISIBLE_SOURCES}"
    f" ORDER BY i.id DESC LIMIT {RECENT}"
)
_NAMES = f"SELECT title FROM feeds_source WHERE id IN {VISIBLE_SOURCES} LIMIT {RECENT}"


class Proposal(NamedTuple):
    """Another query, and how many items have all of its words."""

    text: str
    found: int


def propose(user: User, text: str) -> Proposal | None:
    """Return another spelling of a query that has no match, if that has some."""
    known = _vocabulary(user)
    every = (word for word in typed_words(text) if _is_unknown(user, word, known))
    unknown = list(islice(every, MOST_UNKNOWN + 1))
    if not 0 < len(unknown) <= MOST_UNKNOWN:
        return None
    for words in _attempts(unknown, known):
        proposed = with_words(text, words)
        if found := _count(user, proposed):
            return Proposal(proposed, found)
    return None


def _is_unknown(user: User, word: str, known: list[Known]) -> bool:
    return all(other != word for other, *_ in known) and not _count(user, word)


def _attempts(unknown: list[str], known: list[Known]) -> Iterator[dict[str, str]]:
    """Yield {unknown word: another}, the likeliest first."""
    close = {word: close_words(word, known, ATTEMPTS) for word in unknown}
    if not all(close.values()):
        return
    for attempt in range(max(map(len, close.values()))):
        yield {word: others[min(attempt, len(others) - 1)] for word, others in close.items()}


def _count(user: User, text: str) -> int:
    return Search(user, text, parse_query(text)).find().with_all


def _vocabulary(user: User) -> list[Known]:
    """Return the words of the reader, which all readers of the same private sources share."""
    scope = blake2b(repr(fetch(PRIVATE, [user.pk])).encode(), digest_size=16).hexdigest()
    return cached(f"search-words-{scope}", lambda: _read(user), fresh=FRESH, local_for=FRESH)


def _read(user: User) -> list[Known]:
    titles = (title for query in (_TITLES, _NAMES) for (title,) in fetch(query, [user.pk]))
    return vocabulary(titles)
