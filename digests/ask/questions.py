"""Keep the questions that a model is asked: a row each, until it expires."""

from dataclasses import asdict
from datetime import timedelta
from hashlib import blake2b

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import User
from ainews_site.infra import db_clock
from digests.ask.model import answer_by_model
from digests.ask.types import Answer
from digests.models import Question
from feeds.ai.language.complete import is_configured
from feeds.ai.language.errors import LanguageModelError
from feeds.core.errors import FeedError

KEPT = timedelta(hours=1)
"""An answer is given again for so long; then news may have come."""
GIVEN_UP = timedelta(minutes=10)
"""Who waits longer than that is told that no answer came."""


class AskError(FeedError):
    """The model cannot be asked now, in words for the reader."""


def kept_question(user: User, text: str) -> Question | None:
    """This reader's row for the same question, if it has not expired."""
    rows = Question.objects.filter(user=user, key=_key(text))
    return rows.filter(asked_at__gt=db_clock.now() - KEPT).first()


def open_question(user: User, text: str) -> tuple[Question, bool]:
    """The row for the question, and whether it is new: then the worker is to be asked.

    Raises AskError.
    """
    if not is_configured():
        raise AskError("No language model is configured: LLM_MODEL is empty.")
    if known := kept_question(user, text):
        return known, False
    if not settings.ASK_HOURLY:
        raise AskError("Answers by the language model are disabled: ASK_HOURLY is 0.")
    hour_ago = db_clock.now() - timedelta(hours=1)
    if Question.objects.filter(user=user, asked_at__gt=hour_ago).count() >= settings.ASK_HOURLY:
        raise AskError(
            f"You have reached the limit of {settings.ASK_HOURLY} model answers an hour. Try again"
            " later; what the sources say is shown anyway."
        )
    return _insert(user, text)


def _insert(user: User, text: str) -> tuple[Question, bool]:
    """Of two pages that ask at once, one waits for the other's answer."""
    key = _key(text)
    try:
        with transaction.atomic():
            Question.objects.filter(
                user=user, key=key, asked_at__lte=db_clock.now() - KEPT
            ).delete()
            row = Question.objects.create(user=user, key=key, text=text, asked_at=db_clock.now())
    except IntegrityError:
        return Question.objects.get(user=user, key=key), False
    return row, True


def answer_question(question_id: int) -> None:
    """For the worker: once, whatever becomes of it is kept in the row."""
    row = Question.objects.filter(pk=question_id, state=Question.WAITING)
    question = row.select_related("user").first()
    if question is None or not question.user.is_active:
        return
    try:
        answer = answer_by_model(question.user, question.text)
    except LanguageModelError as error:
        row.update(state=Question.FAILED, problem=str(error)[:500])
        return
    content = asdict(answer)
    row.update(
        state=Question.ANSWERED,
        written_by=answer.written_by[:200],
        content={"sentences": content["sentences"], "sources": content["sources"]},
    )


def model_answer(question: Question) -> Answer | None:
    """What the model wrote, if anything of it held."""
    if question.state != Question.ANSWERED or not question.content["sentences"]:
        return None
    return Answer.from_json(question.content, question.written_by)


def is_awaited(question: Question) -> bool:
    return question.state == Question.WAITING and question.asked_at > db_clock.now() - GIVEN_UP


def what_became(question: Question) -> str:
    """Why there is no answer by the model, in words."""
    if question.state == Question.WAITING:
        return "The language model has not answered."
    if question.state == Question.FAILED:
        return "The language model could not answer."
    return "Nothing that the language model wrote was supported by the sources."


def forget_old_questions() -> int:
    """Drop those that have expired; how many."""
    return Question.objects.filter(asked_at__lt=db_clock.now() - KEPT).delete()[0]


def _key(text: str) -> str:
    """The same however it is spaced, for one model."""
    asked = f"{settings.LLM_MODEL}\n{' '.join(text.casefold().split())}"
    return blake2b(asked.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()
