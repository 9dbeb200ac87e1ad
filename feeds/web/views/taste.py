"""The page of a reader's taste, and the forms that change it."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, HttpResponseBadRequest, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from accounts.types import ReaderRequest
from feeds.reading.feedback import (
    LEVELS,
    follow_story,
    forget_item,
    forget_taste,
    weigh_source,
    weigh_topic,
)
from feeds.reading.marks import set_state
from feeds.reading.taste import export_taste, known_taste, page_views
from feeds.web.page_cache import cached_page, page_state
from feeds.web.rail import river_unread
from feeds.web.views.common import back, wants_json


@login_required
@require_safe
def taste(request: ReaderRequest) -> HttpResponse:
    seq, news = page_state(request.user)
    [known] = cached_page(request.user, "taste", seq, lambda: [_known(request.user)], news)
    context = {
        "known": known,
        "views": page_views(request.user),
        "unread_total": river_unread(request.user, news),
    }
    return render(request, "feeds/taste.html", context)


def _known(user: User) -> str:
    known = known_taste(user, timezone.now())
    context = {"known": known, "levels": LEVELS, "source_levels": LEVELS[1:]}
    return render_to_string("feeds/taste_known.html", context)


@login_required
@require_safe
def taste_export(request: ReaderRequest) -> HttpResponse:
    response = JsonResponse(export_taste(request.user, timezone.now()))
    response.headers["Content-Disposition"] = 'attachment; filename="taste.json"'
    return response


@login_required
@require_POST
def taste_forget(request: ReaderRequest) -> HttpResponse:
    """Delete one item from the taste, or everything if the checkbox "all" is ticked."""
    if item := request.POST.get("item", ""):
        is_id = item.isascii() and item.isdigit() and len(item) < 19
        if not (is_id and forget_item(request.user, int(item))):
            raise Http404("This item isn't part of your taste.")
    elif request.POST.get("all") == "1":
        forget_taste(request.user)
        messages.success(request, "Everything was deleted. The ranking starts over.")
    else:
        messages.error(request, "Nothing was deleted. Tick the box to confirm.")
    return redirect("taste")


@login_required
@require_POST
def topic_level(request: ReaderRequest, topic: str) -> HttpResponse:
    try:
        weigh_topic(request.user, topic, request.POST.get("level", ""))
    except ValueError as error:
        return HttpResponseBadRequest(str(error))
    return back(request, reverse("taste"))


@login_required
@require_POST
def source_level(request: ReaderRequest, pk: int) -> HttpResponse:
    try:
        if not weigh_source(request.user, pk, request.POST.get("level", "")):
            raise Http404("You don't follow this source.")
    except ValueError as error:
        return HttpResponseBadRequest(str(error))
    return back(request, reverse("taste"))


@login_required
@require_POST
def story_follow(request: ReaderRequest, pk: int) -> HttpResponse:
    if not follow_story(request.user, pk, request.POST.get("follow") == "1"):
        raise Http404("Story not found.")
    if wants_json(request):
        return JsonResponse({})
    return back(request, reverse("story", args=[pk]))


@login_required
@require_POST
def item_opened(request: ReaderRequest, pk: int) -> HttpResponse:
    """Record that a link to an article was clicked. Pages send this without waiting for it."""
    set_state(request.user, [pk], opened=True)
    return HttpResponse(status=204)
