"""What a page or the API shows of a question: the answer, and how the model stands to it."""

from dataclasses import dataclass, field

from django.conf import settings

from accounts.models import User
from ainews_site.infra.enqueue import enqueue_slow
from digests.ask.answer import answer_extractively
from digests.ask.questions import (
    AskError,
    is_awaited,
    kept_question,
    model_answer,
    open_question,
    what_became,
)
from digests.ask.types import Answer
from digests.models import Question
from feeds.ai.language.complete import is_configured
from feeds.search.query.parser import LONGEST

EMPTY = "Enter a question, such as: who released open weights this week?"


@dataclass(frozen=True, slots=True)
class Asked:
    """`answer` is the model's where it has one, else made of the sources' own sentences.
    `can_ask` is whether a model may be asked; `says` is a sentence on how that went."""

    answer: Answer = field(default_factory=Answer)
    question: Question | None = None
    is_waiting: bool = False
    can_ask: bool = False
    says: str = ""


def look(user: User, text: str) -> Asked:
    """Without asking a model: what is known of the question already."""
    if problem := problem_of(text):
        return Asked(Answer(problems=(problem,)))
    kept = kept_question(user, text) if is_configured() else None
    return shown(user, text, kept)


def shown(user: User, text: str, question: Question | None) -> Asked:
    if question is None:
        answer = answer_extractively(user, text)
        can_ask = is_configured() and settings.ASK_HOURLY > 0 and bool(answer.sentences)
        return Asked(answer, can_ask=can_ask)
    if by_model := model_answer(question):
        return Asked(by_model, question)
    waits = is_awaited(question)
    says = "" if waits else what_became(question)
    return Asked(answer_extractively(user, text), question, is_waiting=waits, says=says)


def ask_model(user: User, text: str) -> Asked:
    """Have the worker ask the model; what the sources say meanwhile."""
    if problem := problem_of(text):
        return Asked(Answer(problems=(problem,)))
    try:
        question, is_new = open_question(user, text)
    except AskError as error:
        return Asked(answer_extractively(user, text), says=str(error))
    if is_new and not enqueue_slow("digests.tasks.answer_question", question.pk):
        question.delete()
        says = "The language model is unavailable. Below is what the sources say."
        return Asked(answer_extractively(user, text), says=says)
    return shown(user, text, question)


def plain(text: str) -> str:
    """On one line, without what no database stores."""
    return " ".join(text.replace("\0", " ").encode("utf-8", "ignore").decode().split())


def problem_of(text: str) -> str:
    """What is wrong with a question, in words; "" for nothing."""
    if not text:
        return EMPTY
    if len(text) > LONGEST:
        return f"A question can have {LONGEST} characters at most; yours has {len(text):,}."
    return ""
