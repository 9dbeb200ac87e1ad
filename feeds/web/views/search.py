"""The search page."""

from dataclasses import fields
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from accounts.costly import costly
from accounts.models import User
from accounts.types import ReaderRequest
from feeds.core.topics import LABELS
from feeds.models import Folder
from feeds.search.query.form import Fields, fields_of, text_of
from feeds.search.query.function_words import is_question
from feeds.search.query.parser import LONGEST, STATES, parse_query
from feeds.search.run import search_items, search_stories
from feeds.search.suggest import propose
from feeds.web.views.common import Link, read_number

ARTICLES = "articles"
"""The value of `by` that lists each article. Otherwise those of a story are a row."""


@login_required
@require_safe
@costly
def search(request: ReaderRequest) -> HttpResponse:
    """Show the results of a query, or write the query of the form and come back with it."""
    if "words" in request.GET:
        return _with_query_of_form(request)
    text = request.GET.get("q", "").strip()
    by = ARTICLES if request.GET.get("by") == ARTICLES else ""
    context: dict[str, object] = {
        "search_text": text,
        "asks": is_question(text),
        "by": by,
        "options": _address(text, by, options=1),
    }
    if "options" in request.GET:
        context |= _form(request.user, text) | {"without_options": _address(text, by)}
    if text:
        page = min(read_number(request.GET.get("page")) or 1, 100)
        find = search_items if by else search_stories
        results = find(request.user, text, page=page)
        context["results"] = results
        context["views"] = [
            Link("Stories", _address(text), not by),
            Link("Articles", _address(text, ARTICLES), bool(by)),
        ]
        if not results.with_all and (proposal := propose(request.user, text)):
            context["proposal"] = Link(
                proposal.text, _address(proposal.text, by), count=proposal.found
            )
        if results.next_page:
            context["more"] = _address(text, by, page=results.next_page)
    return render(request, "feeds/search.html", context)


def _address(text: str, by: str = "", **more: int) -> str:
    values: dict[str, object] = {"q": text, "by": by, **more}
    return "?" + urlencode({name: value for name, value in values.items() if value})


def _with_query_of_form(request: ReaderRequest) -> HttpResponseRedirect:
    values = {field.name: request.GET.get(field.name, "")[:LONGEST] for field in fields(Fields)}
    return redirect(request.path + _address(text_of(Fields(**values)), request.GET.get("by", "")))


def _form(user: User, text: str) -> dict[str, object]:
    """The form of a query with what its lists offer. A name that they lack is added to them."""
    form = fields_of(parse_query(text))
    folders = Folder.objects.filter(user=user).order_by("name").values_list("name", flat=True)
    names = dict.fromkeys(folders)
    chosen = [name for name in names if name.casefold() == form.folder.casefold()]
    return {
        "form": form,
        "folders": [*names] if chosen or not form.folder else [form.folder, *names],
        "topics": LABELS if form.topic in LABELS else {form.topic: form.topic, **LABELS},
        "states": STATES,
    }
