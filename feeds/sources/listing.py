"""One page of the sources that a reader follows, and the sources that they could follow."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.core.paginator import Page, Paginator
from django.db.models import Exists, OuterRef

from accounts.models import User
from feeds.models import Source, Subscription
from feeds.models.narrow import narrow_rows

PAGE = 200
MAX_OF_CATALOGUE = 1_000
COLUMNS = (
    *("id", "url", "title", "kind", "status", "is_public", "error", "failures", "items_per_day"),
    *("last_fetched_at", "last_succeeded_at", "next_poll_at"),
)
CATALOGUE_COLUMNS = ("id", "url", "title", "pack", "is_public")


@dataclass(frozen=True, slots=True)
class SourcesPage:
    """`rows` are subscriptions with the paths of their folders, sorted by folder and name; `shown`
    is the page with its paginator. `failing` counts all sources of the reader that fail."""

    rows: list[tuple[Subscription, str]]
    shown: Page  # type: ignore[type-arg]
    failing: int


def sources_page(user: User, paths: Mapping[int, str], number: str | None) -> SourcesPage:
    """Return a page, in three queries. `paths` are {folder id: path}."""
    columns = ("pk", "folder_id", "title", "source__title", "source__url")
    health = ("source__status", "source__failures")
    named, failing = [], 0
    for pk, folder, own, title, url, status, failures in Subscription.objects.filter(
        user=user
    ).values_list(*columns, *health):
        named.append((paths.get(folder or 0, "").lower(), (own or title or url).lower(), pk))
        failing += status == Source.Status.GONE or (status == Source.Status.ACTIVE and failures > 0)
    shown = Paginator([pk for *_, pk in sorted(named)], PAGE).get_page(number)
    by_pk = Subscription.objects.in_bulk(list(shown.object_list))
    sources = narrow_rows(Source, COLUMNS, (row.source_id for row in by_pk.values()))
    rows = [row for row in map(by_pk.get, shown) if row and row.source_id in sources]
    for row in rows:
        row.source = sources[row.source_id]
    return SourcesPage([(row, paths.get(row.folder_id or 0, "")) for row in rows], shown, failing)


def catalogue_for(user: User) -> list[Source]:
    """The public sources that the reader does not follow, by pack and title."""
    own = Subscription.objects.filter(user=user, source=OuterRef("pk"))
    others = Source.objects.filter(~Exists(own), is_public=True).order_by("pack", "title")
    ids = list(others.values_list("pk", flat=True)[:MAX_OF_CATALOGUE])
    sources = narrow_rows(Source, CATALOGUE_COLUMNS, ids)
    return [sources[pk] for pk in ids if pk in sources]
