"""The page of the river (all items, newest first) and the page of one item."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.html import conditional_escape
from django.views.decorators.http import require_POST, require_safe

from accounts.costly import costly
from accounts.models import User
from accounts.types import ReaderRequest
from ainews_site.infra.db_router import try_to_write
from feeds.coordination.revisions import News
from feeds.core.errors import FeedError
from feeds.core.sandbox import Sandbox
from feeds.ingest.pipeline import complete_text
from feeds.models import Item
from feeds.reading.filters import Filters
from feeds.reading.item_page import get_item, neighbours
from feeds.reading.marks import set_state
from feeds.reading.river import river
from feeds.reading.sources import Followed, folders_below, followed_sources
from feeds.reading.unread import unread_counts
from feeds.sources.subscriptions import may_manage
from feeds.web.page_cache import cached_page, page_state
from feeds.web.rows import item_row
from feeds.web.views.common import (
    Link,
    heading,
    is_htmx,
    not_found,
    query_of,
    read_filters,
    read_number,
    river_rail,
    undo_of,
)

PAGE = 50


@login_required
@require_safe
def river_page(request: ReaderRequest) -> HttpResponse:
    filters = read_filters(request)
    before = read_number(request.GET.get("before"))
    if is_htmx(request) and before:
        return render(request, "feeds/river_rows.html", _rows(request, filters, before))
    seq, news = page_state(request.user)
    name = f"river-{query_of(filters)}-{before or ''}-{_shows_all(request)}"
    shown, rail, title, unread = cached_page(
        request.user, name, seq, lambda: _page(request, filters, before, seq, news), news
    )
    context = {"list": shown, "rail": rail, "heading": title, "undo": undo_of(request)}
    context["unread_total"] = unread
    return render(request, "feeds/river.html", context)


def _shows_all(request: ReaderRequest) -> bool:
    """Whether the rail has all sources."""
    return request.GET.get("rail") == "all"


def _rows(
    request: ReaderRequest,
    filters: Filters,
    before: int | None,
    followed: Mapping[int, Followed] | None = None,
) -> dict[str, Any]:
    items = river(request.user, filters, before, PAGE + 1, followed)
    more = query_of(filters, before=items[PAGE - 1].pk) if len(items) > PAGE else ""
    density = request.user.density
    return {"rows": [item_row(item, density) for item in items[:PAGE]], "more": more}


def _page(
    request: ReaderRequest, filters: Filters, before: int | None, seq: int, news: News
) -> list[str]:
    """Render the list, the sources beside it, the heading, and the number of unread items."""
    user, followed = request.user, followed_sources(request.user)
    rail = river_rail(
        user, filters, followed, unread_counts(user, news), shows_all=_shows_all(request)
    )
    title = heading(user, filters, "River")
    context = _rows(request, filters, before, followed) | {
        "filters": filters,
        "why_empty": _why_empty(user, filters, before, followed),
        "seq": seq,
        "groups": rail.groups,
        "all_sources": rail.all_sources,
        "unread_total": rail.unread,
        "heading": title,
        "chips": _chips(filters),
        "query": query_of(filters),
    }
    return [
        render_to_string("feeds/river_list.html", context),
        render_to_string("feeds/river_rail.html", context),
        conditional_escape(title),
        str(rail.unread or ""),
    ]


def _why_empty(
    user: User, filters: Filters, before: int | None, followed: Mapping[int, Followed]
) -> str:
    """Why a page of this address has no items; "" if none have arrived yet."""
    if filters.source_id is not None and filters.source_id not in followed:
        return "You don't follow this source."
    if filters.folder_id is not None and not folders_below(user, filters.folder_id):
        return "You don't have this folder."
    return "There are no older items." if before else ""


def _chips(filters: Filters) -> list[Link]:
    shows = {"unread": filters.unread, "saved": filters.saved, "hidden": filters.hidden}
    none = dict.fromkeys(shows, 0)
    return [
        Link("All", query_of(filters, **none), not any(shows.values())),
        *(
            Link(name.capitalize(), query_of(filters, **none | {name: 1}), is_on)
            for name, is_on in shows.items()
        ),
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
    context = {
        "item": shown_item,
        "newer": newer,
        "older": older,
        "was_unread": was_unread,
        "can_fetch": _can_fetch(request, shown_item),
    }
    return render(request, "feeds/item.html", context)


def _can_fetch(request: ReaderRequest, item: Item) -> bool:
    """Whether the reader may fetch the full text, which all readers of the source see then."""
    return bool(item.url) and not item.body.is_full_text and may_manage(request.user, item.source)


@login_required
@require_POST
@costly
def item_full_text(request: ReaderRequest, pk: int) -> HttpResponse:
    """Fetch the article from its page, and come back to the item with its text."""
    try:
        item = get_item(request.user, pk)
    except Item.DoesNotExist:
        raise Http404("Item not found.") from None
    if not may_manage(request.user, item.source):
        raise PermissionDenied("Other readers follow this source too, so only staff can change it.")
    if item.url:
        try:
            with Sandbox() as sandbox:
                complete_text(item, sandbox)
        except FeedError as error:
            messages.error(request, f"The full text was not fetched. {error}")
    return redirect("item", pk=pk)
