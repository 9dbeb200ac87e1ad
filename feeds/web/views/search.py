"""The search page."""

from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.costly import costly
from accounts.types import ReaderRequest
from feeds.search.query.function_words import is_question
from feeds.search.run import search_items
from feeds.web.views.common import read_number


@login_required
@require_safe
@costly
def search(request: ReaderRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()
    page = min(read_number(request.GET.get("page")) or 1, 100)
    context: dict[str, object] = {"search_text": text, "asks": is_question(text)}
    if text:
        results = search_items(request.user, text, page=page)
        context["results"] = results
        if results.next_page:
            context["more"] = "?" + urlencode({"q": text, "page": results.next_page})
    return render(request, "feeds/search.html", context)
