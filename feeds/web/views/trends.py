"""The page of trends, the page of one term, and the forms that follow terms."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounts.types import ReaderRequest
from ainews_site.infra import db_clock
from feeds.models import Subscription, TrendFollow
from feeds.trends import follow as following
from feeds.trends.board import trends_for
from feeds.trends.page import term_page
from feeds.trends.types import Trend
from feeds.web.views.common import Link, back

MAX_TRENDS = 30
SORTS = {
    "": ("Strongest", lambda trend: -trend.score),
    "rise": ("Fastest rising", lambda trend: -(trend.stories + 1) / (trend.before + 1)),
    "stories": ("Most stories", lambda trend: -trend.stories),
    "name": ("By name", lambda trend: trend.label.casefold()),
}


@login_required
@require_safe
def trends(request: ReaderRequest) -> HttpResponse:
    now = db_clock.now()
    sort = request.GET.get("sort", "")
    sort = sort if sort in SORTS else ""
    shown: list[Trend] = sorted(trends_for(request.user, now, MAX_TRENDS), key=SORTS[sort][1])
    follows = list(TrendFollow.objects.filter(user=request.user))
    context = {
        "trends": shown,
        "has_sources": Subscription.objects.filter(user=request.user).exists(),
        "follows": follows,
        "followed": {followed.term for followed in follows},
        "alerts": following.alerts_for(request.user, now),
        "sorts": [
            Link(label, f"?sort={name}" if name else "?", name == sort)
            for name, (label, _) in SORTS.items()
        ],
    }
    return render(request, "feeds/trends.html", context)


@login_required
@require_safe
def trend(request: ReaderRequest, term: str) -> HttpResponse:
    key = following.term_of(term) or following.clean_text(term)
    page = term_page(request.user, key, db_clock.now())
    followed = TrendFollow.objects.filter(user=request.user, term=key).exists()
    context = {"page": page, "term": term[:60], "key": key, "is_followed": followed}
    return render(request, "feeds/trend.html", context, status=200 if page else 404)


@login_required
@require_POST
def follow(request: ReaderRequest) -> HttpResponse:
    text = request.POST.get("term", "")
    if request.POST.get("stop"):
        following.unfollow(request.user, text[:60])
        messages.success(request, "You won't be alerted about this topic any more.")
        return back(request, reverse("trends"))
    try:
        followed = following.follow(request.user, text, request.POST.get("label", ""))
    except following.FollowError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"You'll be alerted when “{followed.label}” trends.")
    return back(request, reverse("trends"))


@login_required
@require_POST
def seen(request: ReaderRequest) -> HttpResponse:
    following.dismiss(request.user, db_clock.now())
    return back(request, reverse("trends"))
