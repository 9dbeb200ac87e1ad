"""One page of the sources that a reader follows, and the sources that they could follow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.core.paginator import Page, Paginator

from accounts.models import User
from feeds.models import Source
from feeds.models.narrow import fetch, narrow_rows

PAGE, PAGE_OF_CATALOGUE = 100, 50
MAX_OF_CATALOGUE = 1_000
COLUMNS = (
    *("id", "url", "title", "kind", "status", "is_public", "error", "failures", "items_per_day"),
    *("last_fetched_at", "last_succeeded_at", "next_poll_at"),
)
FAILING, PAUSED = "failing", "paused"
STATES = (FAILING, PAUSED)
SORTS = {"": "Folder", "name": "Name", "items": "Items per day", "next": "Next fetch"}
_SORT_COLUMN = {"items": "c.items_per_day", "next": "c.next_poll_at"}
_FOLLOWED = (
    "SELECT s.id, s.folder_id, s.source_id, s.title, c.title, c.url, c.status, c.failures, {}"
    " FROM feeds_subscription s JOIN feeds_source c ON c.id = s.source_id WHERE s.user_id = %s"
)
_CATALOGUE = (
    "SELECT c.id, c.pack, c.title, c.url FROM feeds_source c WHERE c.is_public AND NOT EXISTS"
    " (SELECT 1 FROM feeds_subscription s WHERE s.source_id = c.id AND s.user_id = %s)"
    " ORDER BY c.pack, c.title, c.id LIMIT %s"
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A subscription. `name` is the reader's own name of the source, or its title."""

    pk: int
    name: str
    folder_id: int | None
    source: Source


@dataclass(frozen=True, slots=True)
class SourcesPage:
    """`rows` are subscriptions with the paths of their folders, in order; `shown` is the page with
    its paginator. `total`, `failing` and `paused` count all sources of the reader."""

    rows: list[tuple[Listed, str]]
    shown: Page  # type: ignore[type-arg]
    total: int
    failing: int
    paused: int


@dataclass(frozen=True, slots=True)
class Choice:
    """Which sources to list, and in which order. `state` is one of STATES or "" for all, `folder`
    an id or None for all, `sort` a key of SORTS, `name` a part of the names or "" for all."""

    state: str = ""
    folder: int | None = None
    sort: str = ""
    name: str = ""


def sources_page(
    user: User, paths: Mapping[int, str], number: str | None, choice: Choice = Choice()
) -> SourcesPage:
    """Return a page, in two queries. `paths` are {folder id: path}."""
    lowered = {pk: path.lower() for pk, path in paths.items()}
    keyed: list[tuple[Any, ...]] = []
    total = failing = paused = 0
    query = _FOLLOWED.format(_SORT_COLUMN.get(choice.sort, "s.id"))
    for pk, folder, source, own, title, url, status, failures, column in fetch(query, [user.pk]):
        state = _state_of(status, failures)
        total += 1
        failing += state == FAILING
        paused += state == PAUSED
        if choice.state not in ("", state) or choice.folder not in (None, folder):
            continue
        name = (own or title or url).lower()
        if choice.name.lower() not in name:
            continue
        key = _sort_key(choice.sort, lowered.get(folder or 0, ""), column)
        keyed.append((*key, name, pk, (source, folder, own)))
    chosen = [(row[-2], *row[-1]) for row in sorted(keyed)]  # no two have the same id
    shown = Paginator(chosen, PAGE).get_page(number)
    rows = [(row, paths.get(row.folder_id or 0, "")) for row in _rows(list(shown.object_list))]
    return SourcesPage(rows, shown, total, failing, paused)


def _state_of(status: str, failures: int) -> str:
    if status == Source.Status.PAUSED:
        return PAUSED
    return FAILING if failures or status == Source.Status.GONE else ""


def _sort_key(sort: str, path: str, column: Any) -> tuple[Any, ...]:
    if sort == "items":
        return (-column,)
    if sort == "next":
        return (column,)
    return () if sort == "name" else (path,)


def _rows(chosen: list[tuple[int, int, int | None, str]]) -> list[Listed]:
    """The rows of [(subscription, source, folder, own title)], in their order."""
    sources = narrow_rows(Source, COLUMNS, [source for _, source, _, _ in chosen])
    return [
        Listed(pk, own or str(sources[source]), folder, sources[source])
        for pk, source, folder, own in chosen
        if source in sources
    ]


class Offer(NamedTuple):
    """A public source that the reader does not follow."""

    id: int
    pack: str
    name: str


def catalogue_for(user: User, number: str | None = None) -> Page[Offer]:
    """A page of the public sources that the reader does not follow, by pack and title."""
    rows = fetch(_CATALOGUE, [user.pk, MAX_OF_CATALOGUE])
    offers = [Offer(pk, pack, title or url) for pk, pack, title, url in rows]
    return Paginator(offers, PAGE_OF_CATALOGUE).get_page(number)
