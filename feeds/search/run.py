"""Search the items that a reader may see: ranked, with the matches marked."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.db import connection
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from accounts.models import User
from feeds.archive.notes import Archived, archived
from feeds.models import Item, Source
from feeds.reading.river import attach_states
from feeds.search import postgres_find, sqlite_find
from feeds.search.conditions import Conditions
from feeds.search.query import Query, parse_query
from feeds.search.types import CANDIDATES

PAGE = 50
_MARKED = re.compile("\x02([^\x02\x03]*)\x03")
_MARKS = re.compile("[\x02\x03]")


@dataclass(slots=True)
class SearchResults:
    """A page of results. `items` carry `marked_title` and `marked_snippet` (safe HTML with
    `<mark>` alone) and the reader's state. `problems` are sentences about the query;
    `archived` says what lies where it does not look."""

    items: list[Item] = field(default_factory=list)
    problems: tuple[str, ...] = ()
    archived: Archived | None = None
    found: int = 0
    is_capped: bool = False
    next_page: int | None = None
    milliseconds: int = 0


def search_items(user: User, text: str, limit: int = PAGE, page: int = 1) -> SearchResults:
    """The items that answer `text`, best first; without words, the newest first."""
    started = time.perf_counter()
    query = parse_query(text)
    results = SearchResults(problems=query.problems)
    if not query.is_empty:
        _search(user, query, results, max(1, min(limit, 200)), max(1, page))
        results.archived = archived()
    results.milliseconds = round((time.perf_counter() - started) * 1000)
    return results


def _search(user: User, query: Query, results: SearchResults, limit: int, page: int) -> None:
    conditions = Conditions(user, query)
    finder = _finder(query)
    matches = sorted(finder.find(conditions), key=lambda one: (one.score, -one.id))
    ids = [one.id for one in matches]
    results.problems += tuple(conditions.problems)
    results.found, results.is_capped = len(ids), len(ids) == CANDIDATES
    start = (page - 1) * limit
    wanted = ids[start : start + limit]
    if start + limit < len(ids):
        results.next_page = page + 1
    items = Item.objects.in_bulk(wanted)
    found = [items[pk] for pk in wanted if pk in items]
    sources = Source.objects.in_bulk({item.source_id for item in found})
    for item in found:
        item.source = sources[item.source_id]
    results.items = attach_states(user, found)
    _mark(results.items, finder.mark(wanted))


def _finder(query: Query) -> postgres_find.Finder | sqlite_find.Finder:
    """Where the words are looked for: the room of this database."""
    is_postgres = connection.vendor == "postgresql"
    return postgres_find.Finder(query) if is_postgres else sqlite_find.Finder(query)


def _mark(items: Sequence[Item], marked: Mapping[int, tuple[str, str]]) -> None:
    """Set `marked_title` and `marked_snippet` of each."""
    for item in items:
        title, snippet = marked.get(item.pk, (item.title, item.summary))
        item.marked_title = _safe(title)  # type: ignore[attr-defined]
        item.marked_snippet = _safe(snippet)  # type: ignore[attr-defined]


def _safe(text: str) -> SafeString:
    """Everything escaped but our own marks, and those only in pairs."""
    shown = _MARKED.sub(r"<mark>\1</mark>", escape(text))
    return mark_safe(_MARKS.sub("", shown))  # noqa: S308 - escaped the line before
