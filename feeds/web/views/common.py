"""What the reading pages share: filters from the query string, and the list of sources."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.models import User
from feeds.archive.notes import why_missing
from feeds.core.topics import LABELS
from feeds.models import Folder, MarkUndo, Report
from feeds.reading.filters import Filters
from feeds.reading.sources import Followed, folders_below, followed_sources
from feeds.reading.unread import unread_counts
from feeds.web.live.news import reader_seq


@dataclass(frozen=True, slots=True)
class Link:
    """A filter link: its label, query string, whether it is selected, and a count."""

    label: str
    query: str
    is_on: bool = False
    count: int = 0
    source: int = 0
    """The id of the source that the link selects; 0 for other filters."""


@dataclass(frozen=True, slots=True)
class Group:
    """A folder of the sidebar with its sources. `folder` is None for sources without a folder."""

    folder: Link | None
    sources: tuple[Link, ...]


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
    )


def read_number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def can_mark_all(filters: Filters) -> bool:
    """Whether "mark all read" applies: it works by source, so not for topics and saved items."""
    return not (filters.topic or filters.saved)


def query_of(filters: Filters, **changes: object) -> str:
    """The query string of the filters with `changes`, starting with "?"."""
    values: dict[str, object] = {
        "folder": filters.folder_id,
        "source": filters.source_id,
        "topic": filters.topic,
        "unread": int(filters.unread),
        "saved": int(filters.saved),
    }
    # All values are numbers, and topics, which need no quoting.
    return "?" + "&".join(f"{name}={value}" for name, value in (values | changes).items() if value)


def rail_groups(user: User, filters: Filters) -> list[Group]:
    """The reader's folders and sources with unread counts, for the sidebar of the river."""
    followed = followed_sources(user)
    unread = unread_counts(user)
    names = dict(Folder.objects.filter(user=user).order_by("name").values_list("pk", "name"))
    groups = []
    for folder_id, name in [*names.items(), (None, "")]:
        inside = [source for source in followed.values() if source.folder_id == folder_id]
        if not inside:
            continue
        links = tuple(_source_link(source, unread, filters) for source in _sorted(inside))
        total = sum(link.count for link in links)
        folder = folder_id and Link(
            name,
            query_of(Filters(unread=filters.unread), folder=folder_id),
            filters.folder_id == folder_id,
            total,
        )
        groups.append(Group(folder or None, links))
    return groups


def _sorted(followed: Sequence[Followed]) -> list[Followed]:
    return sorted(followed, key=lambda source: source.title.lower())


def _source_link(source: Followed, unread: dict[int, int], filters: Filters) -> Link:
    query = query_of(Filters(unread=filters.unread), source=source.source_id)
    is_on = filters.source_id == source.source_id
    count = unread.get(source.source_id, 0)
    return Link(source.title, query, is_on, count, source.source_id)


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
    if filters.saved:
        return "Saved"
    return LABELS.get(filters.topic, default)


def page_seq(user: User) -> int:
    """The newest seq that a page includes. Later items are new to the page."""
    return reader_seq(user.pk)


def back(request: HttpRequest, default: str) -> HttpResponseRedirect:
    """Redirect to the page that the form names as `next`, if it is on this site."""
    target = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}):
        target = default
    return redirect(target)


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
