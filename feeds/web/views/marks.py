"""Forms that mark items and stories.

A browser without JavaScript is sent back to its page. The script of the page asks for JSON, because
it has shown the change already.
"""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, HttpResponseBadRequest, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from accounts.types import ReaderRequest
from feeds.models import Item, Story
from feeds.reading.feedback import dislike_story
from feeds.reading.marks import mark_all_read, set_state, undo_mark
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


@login_required
@require_POST
def item_state(request: ReaderRequest, pk: int) -> HttpResponse:
    """Set `read`, `saved`, `hidden` or `less` of an item to 1 or 0."""
    if not set_state(request.user, [pk], **_wanted(request)):
        raise Http404("Item not found.")
    return _answer(request, reverse("river"))


@login_required
@require_POST
def story_state(request: ReaderRequest, pk: int) -> HttpResponse:
    """Set the marks of all visible items of a story. `less` means "less like this".

    Saving concerns the lead only, and only the lead's mark counts for the reader's taste.
    """
    story = Story.objects.filter(pk__in=[pk] if pk < 1 << 63 else []).first()
    items = Item.objects.visible_to(request.user).filter(story=story).exclude(story=None)
    ids = list(items.order_by("pk").values_list("pk", flat=True))
    if story is None or not ids:
        raise Http404("Story not found.")
    lead = story.lead_id if story.lead_id in ids else ids[0]
    if "less" in request.POST:
        return _dislike(request, story, lead or ids[0], ids)
    wanted = _wanted(request)
    if wanted.get("saved"):
        set_state(request.user, [lead or ids[0]], saved=True)
        del wanted["saved"]
    set_state(request.user, ids, **wanted, counts_for_taste=False)
    if "hidden" in wanted:
        set_state(request.user, [lead or ids[0]], hidden=wanted["hidden"])
    return _answer(request, reverse("stories"))


def _answer(request: ReaderRequest, page: str) -> HttpResponse:
    return JsonResponse({}) if wants_json(request) else back(request, page)


def _dislike(request: ReaderRequest, story: Story, lead: int, ids: list[int]) -> HttpResponse:
    """Set or undo "less like this"."""
    wanted = request.POST["less"] == "1"
    dislike_story(request.user, lead, ids, wanted)
    if wanted and not wants_json(request):
        messages.success(request, "You'll see fewer stories like this. Undo this under Your taste.")
    return _answer(request, reverse("stories"))


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
