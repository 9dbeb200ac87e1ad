"""The page that answers a question, and the part of it that waits for a model."""

from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.types import ReaderRequest
from digests.ask.asking import Asked, ask_model, look, plain, shown
from digests.models import Question


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: ReaderRequest) -> HttpResponse:
    """The sources' answer at once; a POST asks the model, and a reload shows what it says."""
    given = request.POST if request.method == "POST" else request.GET
    text = plain(given.get("q", ""))
    if request.method != "POST":
        asked = look(request.user, text) if text else Asked()
        return _page(request, text, asked)
    asked = ask_model(request.user, text)
    if request.headers.get("HX-Request"):
        return _part(request, text, asked)
    if asked.says or asked.answer.problems:
        return _page(request, text, asked)
    return redirect(f"{reverse('ask')}?{urlencode({'q': text})}")


@login_required
@require_safe
def ask_state(request: ReaderRequest, pk: int) -> HttpResponse:
    """The answer as it stands now, for the page that waits."""
    question = get_object_or_404(Question, pk=pk, user=request.user)
    return _part(request, question.text, shown(request.user, question.text, question))


def _page(request: ReaderRequest, text: str, asked: Asked) -> HttpResponse:
    return render(request, "digests/ask.html", {"search_text": text, "asked": asked})


def _part(request: ReaderRequest, text: str, asked: Asked) -> HttpResponse:
    return render(request, "digests/ask_answer.html", {"search_text": text, "asked": asked})
