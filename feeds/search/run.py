# ruff: noqa: S608 - the SQL is built from constants, values are parameters
"""Searches the items that a reader may see, ranks them and marks the matching words."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from accounts.models import User
from feeds.archive.notes import Archived, archived
from feeds.models import Item, Source
from feeds.models.narrow import ITEM_COLUMNS, SOURCE_COLUMNS, among, fetch, in_order, items_of
from feeds.reading.river import unread_horizon
from feeds.search.popular import Search, SearchMatches
from feeds.search.query.parser import parse_query
from feeds.search.query.types import CANDIDATES, END, START
from feeds.stories.coverage import settle_copies

PAGE = 50
STORIES = 30
"""Number of stories on a page."""
SHOWN = 5
"""Maximum number of articles of a story that a page lists."""
T = TypeVar("T")
_PARTS = (in_order(Item, ITEM_COLUMNS), in_order(Source, SOURCE_COLUMNS))
_COLUMNS = ", ".join(f"{t}.{name}" for t, part in zip("ic", _PARTS, strict=True) for name in part)
_ITEMS = (
    f"SELECT {_COLUMNS}, s.read_up_to, t.is_read, t.is_saved, t.is_hidden, t.is_opened"
    " FROM feeds_item i JOIN feeds_source c ON c.id = i.source_id"
    " LEFT JOIN feeds_subscription s ON s.source_id = i.source_id AND s.user_id = %s"
    " LEFT JOIN feeds_itemstate t ON t.item_id = i.id AND t.user_id = %s"
    " WHERE (c.is_public OR s.id IS NOT NULL OR t.is_saved)"
)
_MARKED = re.compile("\x02([^\x02\x03]*)\x03")
_MARKS = re.compile("[\x02\x03]")


@dataclass(frozen=True, slots=True)
class StoryMatches:
    """The matching articles of a story: the best, at most SHOWN - 1 `others`, and their number."""

    best: Item
    others: Sequence[Item]
    count: int


@dataclass(slots=True)
class SearchResults:
    """A page of results: `items`, or `stories` if they are grouped.

    Each of the `items`, and the best of each story, has the reader's state and three more
    attributes: `marked_title` and `marked_snippet` (safe HTML whose only tag is `<mark>`), and
    `has_all` (whether the item has all words of the query). `found` is the number of matches on all
    pages, `found_stories` that of their stories. The first `with_all` of the matches have all words
    of the query. `problems` are sentences about the query for the reader.
    `archived` describes the archived items, which the search does not cover. If `is_current` is
    False, the results come from the cache, and the newest items and changes may be missing.
    """

    items: list[Item] = field(default_factory=list)
    stories: list[StoryMatches] = field(default_factory=list)
    problems: tuple[str, ...] = ()
    archived: Archived | None = None
    found: int = 0
    found_stories: int = 0
    with_all: int = 0
    is_capped: bool = False
    next_page: int | None = None
    milliseconds: int = 0
    is_current: bool = True

    @property
    def counted(self) -> str:
        """The number of results as a phrase for the reader."""
        partial = self.found - self.with_all
        if self.is_capped:
            return f"The newest {_in_words(self.found)}"
        if not partial:
            return _in_words(self.found)
        if not self.with_all:
            return f"No exact matches. {_in_words(partial)} with some of the words"
        return f"{_in_words(self.with_all)} with all words, {partial} with some of them"


def _in_words(count: int) -> str:
    return f"{count:,} result{'' if count == 1 else 's'}"


def search_items(user: User, text: str, limit: int = PAGE, page: int = 1) -> SearchResults:
    """Return the page `page` (from 1) of the items that match `text`, the best first.

    A query of operators alone returns the newest items first, an empty query none. `limit` is the
    number of items on a page, at most 200. Never fails on the text: see `SearchResults.problems`.
    """

    def show(search: Search, matches: SearchMatches, results: SearchResults) -> None:
        ids = _page_of(matches.ids, max(1, min(limit, 200)), max(1, page), results)
        results.items = _items(user, search, matches, ids, ids)

    return _results(user, text, show)


def search_stories(user: User, text: str, page: int = 1) -> SearchResults:
    """Return the page `page` (from 1) of the stories that match `text`, by their best article."""

    def show(search: Search, matches: SearchMatches, results: SearchResults) -> None:
        groups = _by_story(matches)
        results.found_stories = len(groups)
        shown = _page_of(groups, STORIES, max(1, page), results)
        best = [ids[0] for ids in shown]
        listed = [pk for ids in shown for pk in ids[:SHOWN]]
        items = {item.pk: item for item in _items(user, search, matches, listed, best)}
        for ids in shown:
            visible = [items[pk] for pk in ids[:SHOWN] if pk in items]
            if visible:
                results.stories.append(StoryMatches(visible[0], visible[1:], len(ids)))

    return _results(user, text, show)


def _results(
    user: User, text: str, show: Callable[[Search, SearchMatches, SearchResults], None]
) -> SearchResults:
    started = time.perf_counter()
    query = parse_query(text)
    results = SearchResults(problems=query.problems)
    if not query.is_empty:
        search = Search(user, text, query)
        matches = search.find()
        results.problems += matches.problems
        results.found, results.with_all = len(matches.ids), matches.with_all
        results.is_capped = matches.with_all == CANDIDATES
        show(search, matches, results)
        results.is_current = search.is_current
        results.archived = archived()
    results.milliseconds = round((time.perf_counter() - started) * 1000)
    return results


def _page_of(rows: Sequence[T], limit: int, page: int, results: SearchResults) -> Sequence[T]:
    start = (page - 1) * limit
    if start + limit < len(rows):
        results.next_page = page + 1
    return rows[start : start + limit]


def _by_story(matches: SearchMatches) -> list[list[int]]:
    """Return the ids of the matches of each story, the best first, by the best of each. An item
    without a story is one of its own."""
    groups: dict[int, list[int]] = {}
    for pk, story in zip(matches.ids, matches.stories, strict=True):
        groups.setdefault(story or -pk, []).append(pk)
    return list(groups.values())


def _items(
    user: User, search: Search, matches: SearchMatches, ids: Sequence[int], marked: Sequence[int]
) -> list[Item]:
    """Return the items of `ids` that the reader may see, with the matches of `marked` marked."""
    items = _read(user, ids)
    shown = [items[pk] for pk in ids if pk in items]
    settle_copies(shown, partial(Item.objects.visible_to, user))
    ids_with_all = set(matches.ids[: matches.with_all])
    for item in shown:
        item.has_all = item.pk in ids_with_all  # type: ignore[attr-defined]
    _mark(shown, search.mark(marked))
    return shown


def _read(user: User, ids: Sequence[int]) -> dict[int, Item]:
    """Read the items with the reader's states, without those that the reader may not see any more,
    as the ids may come from the cache. Items of public and followed sources are visible, and saved
    ones."""
    if not ids:
        return {}
    is_found, values = among("i.id", ids)
    rows = fetch(f"{_ITEMS} AND {is_found}", [user.pk, user.pk, *values])
    horizon, width = unread_horizon(), sum(map(len, _PARTS))
    items = items_of([row[:width] for row in rows], *_PARTS)
    for row in rows:
        item, (read_up_to, is_read, *flags) = items[row[0]], row[width:]
        by_watermark = item.seq <= (read_up_to or 0) or item.pk < horizon
        item.is_read = by_watermark if is_read is None else bool(is_read)  # type: ignore[attr-defined]
        item.is_saved, item.is_hidden, item.is_opened = map(bool, flags)  # type: ignore[attr-defined]
    return items


def _mark(items: Sequence[Item], marked: Mapping[int, tuple[str, str]]) -> None:
    """Set `marked_title` and `marked_snippet` of each item from {id: (title, snippet)}."""
    for item in items:
        title, snippet = marked.get(item.pk, (item.title, item.summary))
        item.marked_title = _safe(title)  # type: ignore[attr-defined]
        item.marked_snippet = _safe(snippet)  # type: ignore[attr-defined]


def _safe(text: str) -> SafeString:
    """Escape the text and turn each pair of START and END into `<mark>`. Drop unpaired ones."""
    html: str = escape(text)
    if START in html or END in html:
        html = _MARKS.sub("", _MARKED.sub(r"<mark>\1</mark>", html))
    return mark_safe(html)  # noqa: S308 - escaped above
