"""Forms that mark items and stories. They work with and without htmx."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from accounts.types import ReaderRequest
from feeds.models import Item, Story
from feeds.reading.feedback import dislike_story
from feeds.reading.marks import mark_all_read, set_state, undo_mark
from feeds.reading.river import get_item
from feeds.web.views.common import (
    back,
    can_mark_all,
    is_htmx,
    query_of,
    read_filters,
    read_number,
    selected_sources,
)

_STATES = ("read", "saved", "hidden", "less")


@login_required
@require_POST
def item_state(request: ReaderRequest, pk: int) -> HttpResponse:
    """Set `read`, `saved` or `hidden` of an item to 1 or 0. htmx gets the item's new buttons."""
    if not set_state(request.user, [pk], **_wanted(request)):
        raise Http404("Item not found.")
    if not is_htmx(request):
        return back(request, reverse("river"))
    try:
        item = get_item(request.user, pk)
    except Item.DoesNotExist:  # it was unsaved, and its source is no longer followed
        return HttpResponse()
    # The new form must lead back to the page that shows it, not to this URL.
    context = {"item": item, "next": request.POST.get("next", "")}
    return render(request, "feeds/actions.html", context)


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
    return HttpResponse(status=204) if is_htmx(request) else back(request, reverse("stories"))


def _dislike(request: ReaderRequest, story: Story, lead: int, ids: list[int]) -> HttpResponse:
    """Set or undo "less like this". htmx gets the fragment that replaces the story's row."""
    wanted = request.POST["less"] == "1"
    dislike_story(request.user, lead, ids, wanted)
    if not is_htmx(request):
        if wanted:
            messages.success(
                request, "You'll see fewer stories like this. Undo this under Your taste."
            )
        return back(request, reverse("stories"))
    if wanted:
        return render(request, "feeds/less.html", {"story": story})
    response = HttpResponse(status=204)
    response.headers["HX-Refresh"] = "true"
    return response


def _wanted(request: ReaderRequest) -> dict[str, bool]:
    return {name: request.POST[name] == "1" for name in _STATES if name in request.POST}


@login_required
@require_POST
def mark_read(request: ReaderRequest) -> HttpResponse:
    """Mark everything as read that the list had when the page was loaded. Can be undone."""
    filters = read_filters(request)
    if not can_mark_all(filters):
        return HttpResponseBadRequest("Only sources and folders can be marked as read.")
    upto = read_number(request.POST.get("seq")) or 0
    undo = mark_all_read(request.user, selected_sources(request.user, filters), upto)
    return redirect(reverse("river") + query_of(filters, undo=undo.pk))


@login_required
@require_POST
def undo(request: ReaderRequest, pk: int) -> HttpResponse:
    if undo_mark(request.user, pk):
        messages.success(request, "Marked as unread again.")
    else:
        messages.error(request, "This can no longer be undone.")
    return back(request, reverse("river"))
