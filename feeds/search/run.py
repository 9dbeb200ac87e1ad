"""Search the items that a reader may see: ranked, with the matches marked."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from accounts.models import User
from feeds.archive.notes import Archived, archived
from feeds.models import Item, ItemState, Source
from feeds.reading.river import attach_states
from feeds.search.popular import Search
from feeds.search.query.parser import parse_query
from feeds.search.query.types import CANDIDATES, END, START

PAGE = 50
_MARKED = re.compile("\x02([^\x02\x03]*)\x03")
_MARKS = re.compile("[\x02\x03]")


@dataclass(slots=True)
class SearchResults:
    """A page of results. `items` carry `marked_title` and `marked_snippet` (safe HTML with
    `<mark>` alone), `has_all` (of the words) and the reader's state. Of all `found`, the first
    `with_all` have all words of the query. `problems` are sentences about the query;
    `archived` says what lies where it does not look. What is not `is_current` lacks what came
    in the last moment."""

    items: list[Item] = field(default_factory=list)
    problems: tuple[str, ...] = ()
    archived: Archived | None = None
    found: int = 0
    with_all: int = 0
    is_capped: bool = False
    next_page: int | None = None
    milliseconds: int = 0
    is_current: bool = True

    @property
    def counted(self) -> str:
        """How many were found, in words."""
        some = self.found - self.with_all
        if self.is_capped:
            return f"The newest {self.found} matches"
        if not some:
            return f"{self.found} match{'' if self.found == 1 else 'es'}"
        if not self.with_all:
            return f"No exact matches. {some} with some of the words"
        return f"{self.with_all} with all words, {some} with some of them"


def search_items(user: User, text: str, limit: int = PAGE, page: int = 1) -> SearchResults:
    """The items that answer `text`, best first; without words, the newest first."""
    started = time.perf_counter()
    query = parse_query(text)
    results = SearchResults(problems=query.problems)
    if not query.is_empty:
        search = Search(user, text, query)
        _search(user, search, results, max(1, min(limit, 200)), max(1, page))
        results.archived = archived()
    results.milliseconds = round((time.perf_counter() - started) * 1000)
    return results


def _search(user: User, search: Search, results: SearchResults, limit: int, page: int) -> None:
    found = search.find()
    results.problems += found.problems
    results.found, results.with_all = len(found.ids), found.with_all
    results.is_capped = found.with_all == CANDIDATES
    start = (page - 1) * limit
    wanted = found.ids[start : start + limit]
    if start + limit < len(found.ids):
        results.next_page = page + 1
    items = _visible(user, wanted)
    shown = [items[pk] for pk in wanted if pk in items]
    whole = set(found.ids[: found.with_all])
    sources = Source.objects.only("title", "url").in_bulk({item.source_id for item in shown})
    for item in shown:
        item.source = sources[item.source_id]
        item.has_all = item.pk in whole  # type: ignore[attr-defined]
    results.items = attach_states(user, shown)
    _mark(results.items, search.mark(wanted))
    results.is_current = search.is_current


def _visible(user: User, ids: Sequence[int]) -> dict[int, Item]:
    """The rows of what was found, if the reader may still see them."""
    saved = ItemState.objects.filter(user=user, item__in=ids, is_saved=True).values("item")
    visible = Item.objects.visible_to(user) | Item.objects.filter(pk__in=saved)
    return {item.pk: item for item in visible.filter(pk__in=ids)}


def _mark(items: Sequence[Item], marked: Mapping[int, tuple[str, str]]) -> None:
    """Set `marked_title` and `marked_snippet` of each."""
    for item in items:
        title, snippet = marked.get(item.pk, (item.title, item.summary))
        item.marked_title = _safe(title)  # type: ignore[attr-defined]
        item.marked_snippet = _safe(snippet)  # type: ignore[attr-defined]


def _safe(text: str) -> SafeString:
    """Everything escaped but our own marks, and those only in pairs."""
    shown: str = escape(text)
    if START in shown or END in shown:
        shown = _MARKS.sub("", _MARKED.sub(r"<mark>\1</mark>", shown))
    return mark_safe(shown)  # noqa: S308 - escaped above
