"""What the page and the API show for a question: an answer, and the state of the model's answer."""

from dataclasses import dataclass, field

from django.conf import settings

from accounts.models import User
from ainews_site.infra.enqueue import enqueue_slow
from digests.ask.answer import answer_extractively
from digests.ask.questions import (
    AskError,
    failure_message,
    is_waiting,
    model_answer,
    open_question,
    recent_question,
)
from digests.ask.types import Answer
from digests.models import Question
from feeds.ai.language.complete import is_configured
from feeds.search.query.parser import LONGEST

EMPTY = "Enter a question, such as: who released open weights this week?"


@dataclass(frozen=True, slots=True)
class QuestionState:
    """The state of a question.

    `answer` was written by the model if it has answered, else it quotes the sources. `can_ask`
    is whether the reader may ask the model; `message` tells the reader why there is no answer
    by the model, and is "" if there is nothing to tell.
    """

    answer: Answer = field(default_factory=Answer)
    question: Question | None = None
    is_waiting: bool = False
    can_ask: bool = False
    message: str = ""


def answer_of(user: User, text: str) -> QuestionState:
    """Return the state of a question without asking the model."""
    if problem := validation_error(text):
        return QuestionState(Answer(problems=(problem,)))
    question = recent_question(user, text) if is_configured() else None
    return question_state(user, text, question)


def question_state(user: User, text: str, question: Question | None) -> QuestionState:
    if question is None:
        answer = answer_extractively(user, text)
        can_ask = is_configured() and settings.ASK_HOURLY > 0 and bool(answer.sentences)
        return QuestionState(answer, can_ask=can_ask)
    if by_model := model_answer(question):
        return QuestionState(by_model, question)
    waits = is_waiting(question)
    message = "" if waits else failure_message(question)
    return QuestionState(
        answer_extractively(user, text), question, is_waiting=waits, message=message
    )


def ask_model(user: User, text: str) -> QuestionState:
    """Ask the model in the background. The result has the extractive answer until then."""
    if problem := validation_error(text):
        return QuestionState(Answer(problems=(problem,)))
    try:
        question, is_new = open_question(user, text)
    except AskError as error:
        return QuestionState(answer_extractively(user, text), message=str(error))
    if is_new and not enqueue_slow("digests.tasks.answer_question", question.pk):
        question.delete()
        message = "The language model is unavailable. Below is what the sources say."
        return QuestionState(answer_extractively(user, text), message=message)
    return question_state(user, text, question)


def clean_question(text: str) -> str:
    """Return the text on one line, without characters that the database cannot store."""
    return " ".join(text.replace("\0", " ").encode("utf-8", "ignore").decode().split())


def validation_error(text: str) -> str:
    """Return why a question is not valid, as a message for the reader; "" if it is valid."""
    if not text:
        return EMPTY
    if len(text) > LONGEST:
        return f"A question can have {LONGEST} characters at most; yours has {len(text):,}."
    return ""
