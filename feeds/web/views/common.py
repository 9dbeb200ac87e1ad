"""What the reading pages share: filters from the query string, and the list of sources."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import nsmallest

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.models import User
from feeds.archive.notes import why_missing
from feeds.core.topics import LABELS
from feeds.models import Folder, MarkUndo, Report
from feeds.models.narrow import fetch
from feeds.reading.filters import Filters
from feeds.reading.sources import Followed, folders_below, followed_sources


@dataclass(frozen=True, slots=True)
class Link:
    """A filter link: its label, query string, whether it is selected, and a count."""

    label: str
    query: str
    is_on: bool = False
    count: int = 0
    source: int = 0
    """The id of the source that the link selects; 0 for other filters."""
    folder: int = 0
    """The id of the folder that the link of the sidebar selects; 0 for other filters."""


@dataclass(frozen=True, slots=True)
class Group:
    """A folder of the sidebar with its sources. `folder` is None for sources without a folder."""

    folder: Link | None
    sources: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Rail:
    """The sidebar of the river. `all_sources` is the number of all sources if not all are shown,
    else 0."""

    groups: list[Group]
    unread: int
    all_sources: int


MAX_RAIL = 150
"""Sources in the sidebar of the river. "Show all" shows the others."""
MAX_RAIL_FOLDERS = 40
"""Folders there."""


def read_filters(request: HttpRequest) -> Filters:
    """Read the filters from the query string. Invalid values are ignored."""
    get = request.GET
    topic = get.get("topic", "")
    return Filters(
        folder_id=read_number(get.get("folder")),
        source_id=read_number(get.get("source")),
        topic=topic if topic in LABELS else "",
        unread=get.get("unread") == "1",
        saved=get.get("saved") == "1",
        hidden=get.get("hidden") == "1",
    )


def read_number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def can_mark_all(filters: Filters) -> bool:
    """Whether "mark all read" applies: it works by source, so not for topics, saved and hidden
    items."""
    return not (filters.topic or filters.saved or filters.hidden)


def query_of(filters: Filters, **changes: object) -> str:
    """The query string of the filters with `changes`, starting with "?"."""
    values: dict[str, object] = {
        "folder": filters.folder_id,
        "source": filters.source_id,
        "topic": filters.topic,
        "unread": int(filters.unread),
        "saved": int(filters.saved),
        "hidden": int(filters.hidden),
    }
    # All values are numbers, and topics, which need no quoting.
    return "?" + "&".join(f"{name}={value}" for name, value in (values | changes).items() if value)


def river_rail(
    user: User,
    filters: Filters,
    followed: Mapping[int, Followed],
    unread: Mapping[int, int],
    *,
    shows_all: bool,
) -> Rail:
    """The reader's folders and sources with unread counts, for the sidebar of the river.

    Without `shows_all` it has at most MAX_RAIL sources in MAX_RAIL_FOLDERS folders: those with most
    unread items, and those that the filters select.
    """
    chosen = set(followed) if shows_all else _most_unread(followed, unread)
    if filters.source_id in followed:
        chosen.add(filters.source_id or 0)
    totals: Counter[int | None] = Counter()
    inside: defaultdict[int | None, list[Followed]] = defaultdict(list)
    for pk, source in followed.items():
        totals[source.folder_id] += unread.get(pk, 0)
        if pk in chosen:
            inside[source.folder_id].append(source)
    names = fetch("SELECT id, name FROM feeds_folder WHERE user_id = %s ORDER BY name", [user.pk])
    selected = {filters.folder_id}
    if filters.source_id in followed:
        selected.add(followed[filters.source_id or 0].folder_id)
    with_sources = [pk for pk, _ in names if inside[pk] or (pk in totals and pk in selected)]
    limit = len(with_sources) if shows_all else MAX_RAIL_FOLDERS
    folders = set(nsmallest(limit, with_sources, lambda pk: (pk not in selected, -totals[pk])))
    groups = [
        Group(
            Link(
                name,
                query_of(Filters(unread=filters.unread), folder=pk),
                filters.folder_id == pk,
                totals[pk],
                folder=pk,
            ),
            _source_links(inside[pk], unread, filters),
        )
        for pk, name in names
        if pk in folders
    ]
    if inside[None]:
        groups.append(Group(None, _source_links(inside[None], unread, filters)))
    shown = sum(len(group.sources) for group in groups)
    return Rail(groups, totals.total(), len(followed) if shown < len(followed) else 0)


def _most_unread(followed: Mapping[int, Followed], unread: Mapping[int, int]) -> set[int]:
    """Up to MAX_RAIL sources with most unread items; of equal ones the first by name."""
    if len(followed) <= MAX_RAIL:
        return set(followed)

    def place(pk: int) -> tuple[int, str]:
        return -unread.get(pk, 0), followed[pk].title.lower()

    return set(nsmallest(MAX_RAIL, followed, key=place))


def _source_links(
    sources: Iterable[Followed], unread: Mapping[int, int], filters: Filters
) -> tuple[Link, ...]:
    query = query_of(Filters(unread=filters.unread), source=0).rstrip("?")
    before = f"{query}&source=" if query else "?source="
    return tuple(
        Link(
            source.title,
            f"{before}{source.source_id}",
            filters.source_id == source.source_id,
            unread.get(source.source_id, 0),
            source.source_id,
        )
        for source in sorted(sources, key=lambda source: source.title.lower())
    )


def selected_sources(user: User, filters: Filters) -> list[int] | None:
    """The ids of the sources that the filters select; None for all."""
    if filters.source_id is None and filters.folder_id is None:
        return None
    return list(followed_sources(user, folder_id=filters.folder_id, source_id=filters.source_id))


def heading(user: User, filters: Filters, default: str) -> str:
    """The heading of a filtered list."""
    if filters.source_id is not None:
        followed = followed_sources(user, source_id=filters.source_id)
        return next((source.title for source in followed.values()), default)
    if filters.folder_id is not None and folders_below(user, filters.folder_id):
        return Folder.objects.get(pk=filters.folder_id).name
    if filters.saved or filters.hidden:
        return "Saved" if filters.saved else "Hidden"
    return LABELS.get(filters.topic, default)


def back(request: HttpRequest, default: str, fragment: str = "") -> HttpResponseRedirect:
    """Redirect to `fragment` of the page that the form names as `next`, if it is on this site."""
    target = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}):
        target = default
    return redirect(target + fragment)


def undo_of(request: HttpRequest) -> MarkUndo | None:
    """The mark that the query string offers to undo."""
    pk = read_number(request.GET.get("undo"))
    return MarkUndo.objects.filter(pk=pk, user=request.user.pk).first() if pk else None


def reported_of(request: HttpRequest) -> Report | None:
    """The open report of the reader that the query string offers to undo."""
    pk = read_number(request.GET.get("reported"))
    return Report.objects.filter(pk=pk, user=request.user.pk).open().first() if pk else None


def wants_json(request: HttpRequest) -> bool:
    """Whether a script sent the form. It changes the page by itself and reads no HTML."""
    return request.headers.get("Accept") == "application/json"


def is_htmx(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def not_found(request: HttpRequest, pk: int) -> HttpResponse:
    """The 404 page for an id. It says if the item was archived."""
    return render(request, "404.html", {"missing": why_missing(pk)}, status=404)
