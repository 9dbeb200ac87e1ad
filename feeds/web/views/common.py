"""What the reading pages share: filters from the address, chips, the rail of sources."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.models import User
from feeds.archive.notes import why_missing
from feeds.core.topics import LABELS
from feeds.models import Folder
from feeds.reading.filters import Filters
from feeds.reading.sources import Followed, folders_below, followed_sources
from feeds.reading.unread import unread_counts
from feeds.web.live.news import reader_seq


@dataclass(frozen=True, slots=True)
class Link:
    """One choice of a filter: where it leads and whether it is on."""

    label: str
    query: str
    is_on: bool = False
    count: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """A folder of the rail with its sources."""

    folder: Link | None
    sources: tuple[Link, ...]


def read_filters(request: HttpRequest) -> Filters:
    """What the address asks for; nonsense in it narrows nothing."""
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
    """A mark is a source's: what is shown by topic, or because it is saved, has none."""
    return not (filters.topic or filters.saved)


def query_of(filters: Filters, **changes: object) -> str:
    """The filters as the query of an address, `?` included; empty for none."""
    values: dict[str, object] = {
        "folder": filters.folder_id,
        "source": filters.source_id,
        "topic": filters.topic,
        "unread": int(filters.unread),
        "saved": int(filters.saved),
    }
    chosen = {name: value for name, value in (values | changes).items() if value}
    return f"?{urlencode(chosen)}" if chosen else "?"


def rail_groups(user: User, filters: Filters) -> list[Group]:
    """The reader's folders and sources with what is unread, for the rail of the river."""
    followed = followed_sources(user)
    unread = unread_counts(user)
    names = dict(Folder.objects.filter(user=user).order_by("name").values_list("pk", "name"))
    groups = []
    for folder_id, name in [*names.items(), (None, "")]:
        inside = [one for one in followed.values() if one.folder_id == folder_id]
        if not inside:
            continue
        links = tuple(_source_link(one, unread, filters) for one in _sorted(inside))
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
    return sorted(followed, key=lambda one: one.title.lower())


def _source_link(one: Followed, unread: dict[int, int], filters: Filters) -> Link:
    query = query_of(Filters(unread=filters.unread), source=one.source_id)
    is_on = filters.source_id == one.source_id
    return Link(one.title, query, is_on, unread.get(one.source_id, 0))


def sources_meant(user: User, filters: Filters) -> list[int] | None:
    """The ids of the sources that the filters leave; None for all."""
    if filters.source_id is None and filters.folder_id is None:
        return None
    return list(followed_sources(user, folder_id=filters.folder_id, source_id=filters.source_id))


def heading(user: User, filters: Filters, default: str) -> str:
    """What the list shows, in words."""
    if filters.source_id is not None:
        followed = followed_sources(user, source_id=filters.source_id)
        return next((one.title for one in followed.values()), default)
    if filters.folder_id is not None and folders_below(user, filters.folder_id):
        return Folder.objects.get(pk=filters.folder_id).name
    if filters.saved:
        return "Saved"
    return LABELS.get(filters.topic, default)


def page_seq(user: User) -> int:
    """The newest arrival that a reader's page knows of: what comes later is new to it."""
    return reader_seq(user.pk)


def back(request: HttpRequest, default: str) -> HttpResponseRedirect:
    """To the page that the form names, if it is ours."""
    target = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}):
        target = default
    return redirect(target)


def is_htmx(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def not_found(request: HttpRequest, pk: int) -> HttpResponse:
    """The page of what has no such id here; what was archived says so."""
    return render(request, "404.html", {"missing": why_missing(pk)}, status=404)
