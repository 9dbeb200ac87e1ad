"""One page of the sources that a reader follows, and the sources that they could follow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Exists, OuterRef

from accounts.models import User
from feeds.models import Source, Subscription
from feeds.models.narrow import narrow_rows

PAGE = 100
MAX_OF_CATALOGUE = 1_000
COLUMNS = (
    *("id", "url", "title", "kind", "status", "is_public", "error", "failures", "items_per_day"),
    *("last_fetched_at", "last_succeeded_at", "next_poll_at"),
)
CATALOGUE_COLUMNS = ("id", "url", "title", "pack", "is_public")
FAILING, PAUSED = "failing", "paused"
STATES = (FAILING, PAUSED)
SORTS = {"": "Folder", "name": "Name", "items": "Items per day", "next": "Next fetch"}
_SORT_COLUMN = {"items": "source__items_per_day", "next": "source__next_poll_at"}


@dataclass(frozen=True, slots=True)
class SourcesPage:
    """`rows` are subscriptions with the paths of their folders, in order; `shown` is the page with
    its paginator. `total`, `failing` and `paused` count all sources of the reader."""

    rows: list[tuple[Subscription, str]]
    shown: Page  # type: ignore[type-arg]
    total: int
    failing: int
    paused: int


@dataclass(frozen=True, slots=True)
class Choice:
    """Which sources to list, and in which order. `state` is one of STATES or "" for all, `folder`
    an id or None for all, `sort` a key of SORTS."""

    state: str = ""
    folder: int | None = None
    sort: str = ""


def sources_page(
    user: User, paths: Mapping[int, str], number: str | None, choice: Choice = Choice()
) -> SourcesPage:
    """Return a page, in three queries. `paths` are {folder id: path}."""
    columns = ("pk", "folder_id", "title", "source__title", "source__url")
    health = ("source__status", "source__failures", _SORT_COLUMN.get(choice.sort, "pk"))
    lowered = {pk: path.lower() for pk, path in paths.items()}
    keyed: list[tuple[Any, ...]] = []
    total = failing = paused = 0
    for pk, folder, own, title, url, status, failures, column in Subscription.objects.filter(
        user=user
    ).values_list(*columns, *health):
        state = _state_of(status, failures)
        total += 1
        failing += state == FAILING
        paused += state == PAUSED
        if choice.state not in ("", state) or choice.folder not in (None, folder):
            continue
        name = (own or title or url).lower()
        keyed.append((*_sort_key(choice.sort, lowered.get(folder or 0, ""), column), name, pk))
    shown = Paginator([key[-1] for key in sorted(keyed)], PAGE).get_page(number)
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


def _rows(pks: list[int]) -> list[Subscription]:
    """The subscriptions with these ids, in their order, with the columns of the list."""
    by_pk = Subscription.objects.in_bulk(pks)
    sources = narrow_rows(Source, COLUMNS, (row.source_id for row in by_pk.values()))
    rows = [row for row in map(by_pk.get, pks) if row and row.source_id in sources]
    for row in rows:
        row.source = sources[row.source_id]
    return rows


def catalogue_for(user: User) -> list[Source]:
    """The public sources that the reader does not follow, by pack and title."""
    own = Subscription.objects.filter(user=user, source=OuterRef("pk"))
    others = Source.objects.filter(~Exists(own), is_public=True).order_by("pack", "title")
    ids = list(others.values_list("pk", flat=True)[:MAX_OF_CATALOGUE])
    sources = narrow_rows(Source, CATALOGUE_COLUMNS, ids)
    return [sources[pk] for pk in ids if pk in sources]
