"""Store the questions to the model, one row each until it expires, and answer them."""

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

REUSED_FOR = timedelta(hours=1)
"""How long an answer is reused. After that, newer items may answer the question better."""
GIVEN_UP_AFTER = timedelta(minutes=10)
"""How long the page waits for an answer before it reports a failure."""


class AskError(FeedError):
    """The model cannot be asked now. `str()` is a message for the reader."""


def recent_question(user: User, text: str) -> Question | None:
    """Return this reader's row for the same question, unless it has expired."""
    rows = Question.objects.filter(user=user, key=_key(text))
    return rows.filter(asked_at__gt=db_clock.now() - REUSED_FOR).first()


def open_question(user: User, text: str) -> tuple[Question, bool]:
    """Return the row for the question and whether it is new. The caller queues new questions.

    Raises AskError.
    """
    if not is_configured():
        raise AskError("No language model is set up on this server.")
    if question := recent_question(user, text):
        return question, False
    if not settings.ASK_HOURLY:
        raise AskError("The language model doesn't answer questions on this server.")
    hour_ago = db_clock.now() - timedelta(hours=1)
    if Question.objects.filter(user=user, asked_at__gt=hour_ago).count() >= settings.ASK_HOURLY:
        raise AskError(
            f"You have reached the limit of {settings.ASK_HOURLY} answers by the language model in"
            " an hour. Try again later. Sentences from your sources are still shown."
        )
    return _insert(user, text)


def _insert(user: User, text: str) -> tuple[Question, bool]:
    """Insert the row, or return the row of a concurrent request for the same question."""
    key = _key(text)
    try:
        with transaction.atomic():
            Question.objects.filter(
                user=user, key=key, asked_at__lte=db_clock.now() - REUSED_FOR
            ).delete()
            row = Question.objects.create(user=user, key=key, text=text, asked_at=db_clock.now())
    except IntegrityError:
        return Question.objects.get(user=user, key=key), False
    return row, True


def answer_question(question_id: int) -> None:
    """Answer a waiting question once, and store the answer or the failure in its row."""
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
    """Return the model's answer, or None if no sentence of it passed the check."""
    if question.state != Question.ANSWERED or not question.content["sentences"]:
        return None
    return Answer.from_json(question.content, question.written_by)


def is_waiting(question: Question) -> bool:
    return (
        question.state == Question.WAITING and question.asked_at > db_clock.now() - GIVEN_UP_AFTER
    )


def failure_message(question: Question) -> str:
    """Return why there is no answer by the model, as a message for the reader."""
    if question.state == Question.WAITING:
        return "The language model has not answered."
    if question.state == Question.FAILED:
        return "The language model could not answer."
    return "Nothing that the language model wrote was supported by the sources."


def forget_old_questions() -> int:
    """Delete expired questions. Return how many."""
    return Question.objects.filter(asked_at__lt=db_clock.now() - REUSED_FOR).delete()[0]


def _key(text: str) -> str:
    """Hash of the model and the question, which ignores case and white space."""
    identity = f"{settings.LLM_MODEL}\n{' '.join(text.casefold().split())}"
    return blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()
