"""Forms that mark items and stories.

A browser without JavaScript is sent back to its page. The script of the page asks for JSON, because
it has shown the change already.
"""

from urllib.parse import urlsplit

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpResponse, HttpResponseBadRequest, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_POST

from accounts.models import User
from accounts.types import ReaderRequest
from feeds.models import Item, Story
from feeds.reading.feedback import dislike_story
from feeds.reading.marks import mark_all_read, restore_marks, set_state, undo_mark
from feeds.reading.states import marked_items
from feeds.web.views.common import (
    back,
    can_mark_all,
    query_of,
    read_filters,
    read_number,
    selected_sources,
    wants_json,
)

_STATES = ("read", "saved", "hidden", "less")
_MOST_RESTORED = 1000
_MESSAGES = {"hidden": "Hidden.", "less": "You'll see fewer stories like this."}
_UNDO = (
    '{} <button form="act" formaction="{}" name="{}" value="0" class="act" data-plain>Undo</button>'
)


@login_required
@require_POST
def item_state(request: ReaderRequest, pk: int) -> HttpResponse:
    """Set `read`, `saved`, `hidden` or `less` of an item to 1 or 0."""
    if not set_state(request.user, [pk], **_wanted(request)):
        raise Http404("Item not found.")
    return _answer(request, reverse("item", args=[pk]), reverse("river"))


@login_required
@require_POST
def story_state(request: ReaderRequest, pk: int) -> HttpResponse:
    """Set the marks of all visible items of a story. `less` means "less like this".

    Saving concerns the lead only, and only the lead's mark counts for the reader's taste. JSON has
    the items whose marks changed. An undo sends them as `only_saved=3,5`, and restores these only.
    """
    if only := _only(request):
        restore_marks(request.user, only, _wanted(request))
        return _answer(request, reverse("story", args=[pk]), reverse("stories"))
    story = Story.objects.filter(pk__in=[pk] if pk < 1 << 63 else []).first()
    items = Item.objects.visible_to(request.user).filter(story=story).exclude(story=None)
    ids = list(items.order_by("pk").values_list("pk", flat=True))
    if story is None or not ids:
        raise Http404("Story not found.")
    lead = story.lead_id if story.lead_id in ids else ids[0]
    if wants_json(request):
        with transaction.atomic():
            before = marked_items(request.user, ids)
            _set_story_state(request.user, _wanted(request), lead or ids[0], ids)
            after = marked_items(request.user, ids)
        changed = {name: sorted(before[name] ^ after[name]) for name in _changing(request)}
        return JsonResponse({"changed": changed})
    _set_story_state(request.user, _wanted(request), lead or ids[0], ids)
    return _answer(request, reverse("story", args=[pk]), reverse("stories"))


def _changing(request: ReaderRequest) -> set[str]:
    """The marks that a request may change. "Less like this" hides too."""
    wanted = _wanted(request)
    return {*wanted, "hidden"} if "less" in wanted else {*wanted}


def _only(request: ReaderRequest) -> dict[str, list[int]]:
    """The items whose marks an undo restores, by mark."""
    lists = {name: request.POST.get(f"only_{name}") for name in _STATES}
    return {
        name: [pk for pk in map(read_number, text.split(",")[:_MOST_RESTORED]) if pk is not None]
        for name, text in lists.items()
        if text is not None
    }


def _set_story_state(user: User, wanted: dict[str, bool], lead: int, ids: list[int]) -> None:
    if "less" in wanted:
        dislike_story(user, lead, ids, wanted["less"])
        return
    if wanted.get("saved"):
        set_state(user, [lead], saved=True)
        del wanted["saved"]
    set_state(user, ids, **wanted, counts_for_taste=False)
    if "hidden" in wanted:
        set_state(user, [lead], hidden=wanted["hidden"])


def _answer(request: ReaderRequest, page: str, list_page: str) -> HttpResponse:
    """Answer a form of `page` or of a list. What leaves a list can be undone there."""
    if wants_json(request):
        return JsonResponse({})
    wanted = _wanted(request)
    for name, message in _MESSAGES.items():
        if wanted.get(name):
            messages.success(request, format_html(_UNDO, message, request.path, name))
    is_gone = any(map(wanted.get, _MESSAGES))
    if wanted.get("read") is False and urlsplit(request.POST.get("next", "")).path == page:
        messages.success(request, "Marked as unread.")
        return redirect(list_page)  # the page would mark it as read again
    return back(request, list_page, "" if is_gone else _row_of(page))


def _row_of(page: str) -> str:
    """The fragment of the row that opens `page`, so that a list stays where it was."""
    _, kind, pk, _ = page.rsplit("/", 3)
    return f"#{kind[0]}{pk}"


def _wanted(request: ReaderRequest) -> dict[str, bool]:
    return {name: request.POST[name] == "1" for name in _STATES if name in request.POST}


@login_required
@require_POST
def mark_read(request: ReaderRequest) -> HttpResponse:
    """Mark everything as read that the list had when the page was loaded. Can be undone.

    JSON has the number of items that were marked, and the address that undoes it.
    """
    filters = read_filters(request)
    if not can_mark_all(filters):
        return HttpResponseBadRequest("Only sources and folders can be marked as read.")
    upto = read_number(request.POST.get("seq")) or 0
    undo = mark_all_read(request.user, selected_sources(request.user, filters), upto)
    if wants_json(request):
        return JsonResponse({"marked": undo.item_count, "undo": reverse("undo", args=[undo.pk])})
    path = request.POST.get("next", "").partition("?")[0]
    page = "stories" if path == reverse("stories") else "river"
    return redirect(reverse(page) + query_of(filters, undo=undo.pk))


@login_required
@require_POST
def undo(request: ReaderRequest, pk: int) -> HttpResponse:
    is_undone = undo_mark(request.user, pk)
    if wants_json(request):
        return JsonResponse({}, status=200 if is_undone else 410)
    if is_undone:
        messages.success(request, "Marked as unread again.")
    else:
        messages.error(request, "This can no longer be undone.")
    return back(request, reverse("river"))
