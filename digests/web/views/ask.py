"""The page that answers a question, and the fragment that waits for the model's answer."""

from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.costly import costly
from accounts.types import ReaderRequest
from digests.ask.answers import QuestionState, answer_of, ask_model, clean_question, question_state
from digests.models import Question


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@costly
def ask(request: ReaderRequest) -> HttpResponse:
    """Show the extractive answer at once. A POST asks the model; the page then polls ask_state."""
    parameters = request.POST if request.method == "POST" else request.GET
    text = clean_question(parameters.get("q", ""))
    if request.method != "POST":
        asked = answer_of(request.user, text) if text else QuestionState()
        return _page(request, text, asked)
    asked = ask_model(request.user, text)
    if request.headers.get("HX-Request"):
        return _fragment(request, text, asked)
    if asked.message or asked.answer.problems:
        return _page(request, text, asked)
    return redirect(f"{reverse('ask')}?{urlencode({'q': text})}")


@login_required
@require_safe
@costly
def ask_state(request: ReaderRequest, pk: int) -> HttpResponse:
    """Render the current state of a question, for a page that waits for the model."""
    question = get_object_or_404(Question, pk=pk, user=request.user)
    return _fragment(request, question.text, question_state(request.user, question.text, question))


def _page(request: ReaderRequest, text: str, asked: QuestionState) -> HttpResponse:
    return render(request, "digests/ask.html", {"search_text": text, "asked": asked})


def _fragment(request: ReaderRequest, text: str, asked: QuestionState) -> HttpResponse:
    return render(request, "digests/ask_answer.html", {"search_text": text, "asked": asked})
