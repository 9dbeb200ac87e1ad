"""The page of the river (all items, newest first) and the page of one item."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.types import ReaderRequest
from ainews_site.infra.db_router import try_to_write
from feeds.models import Item
from feeds.reading.filters import Filters
from feeds.reading.marks import set_state
from feeds.reading.river import get_item, neighbours, river
from feeds.web.views.common import (
    Link,
    heading,
    is_htmx,
    not_found,
    page_seq,
    query_of,
    rail_groups,
    read_filters,
    read_number,
    undo_of,
)

PAGE = 50


@login_required
@require_safe
def river_page(request: ReaderRequest) -> HttpResponse:
    seq = page_seq(request.user)
    filters = read_filters(request)
    items = river(request.user, filters, read_number(request.GET.get("before")), PAGE + 1)
    more = query_of(filters, before=items[PAGE - 1].pk) if len(items) > PAGE else ""
    context = {"items": items[:PAGE], "filters": filters, "more": more, "seq": seq}
    if is_htmx(request) and "before" in request.GET:
        return render(request, "feeds/river_rows.html", context)
    groups = rail_groups(request.user, filters)
    context |= {
        "groups": groups,
        "unread_total": sum(link.count for group in groups for link in group.sources),
        "heading": heading(request.user, filters, "River"),
        "chips": _chips(filters),
        "undo": undo_of(request),
        "query": query_of(filters),
    }
    return render(request, "feeds/river.html", context)


def _chips(filters: Filters) -> list[Link]:
    is_unfiltered = not (filters.unread or filters.saved)
    return [
        Link("All", query_of(filters, unread=0, saved=0), is_unfiltered),
        Link("Unread", query_of(filters, unread=1, saved=0), filters.unread),
        Link("Saved", query_of(filters, unread=0, saved=1), filters.saved),
    ]


@login_required
@require_safe
def item(request: ReaderRequest, pk: int) -> HttpResponse:
    """Show an item and mark it as read. It is shown even if the mark cannot be written."""
    try:
        shown_item = get_item(request.user, pk)
    except Item.DoesNotExist:
        return not_found(request, pk)
    was_unread = not shown_item.is_read  # type: ignore[attr-defined]
    is_seen = shown_item.is_read and shown_item.is_opened  # type: ignore[attr-defined]
    if request.method == "GET" and not is_seen:
        is_marked = try_to_write(
            lambda: set_state(request.user, [pk], read=True, opened=True),
            key=("opened", request.user.pk, pk),
        )
        shown_item.is_read = is_marked or shown_item.is_read  # type: ignore[attr-defined]
    newer, older = neighbours(request.user, pk)
    context = {"item": shown_item, "newer": newer, "older": older, "was_unread": was_unread}
    return render(request, "feeds/item.html", context)
