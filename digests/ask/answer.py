"""Answer a question over a reader's own news with sentences that stand in the items."""

from collections.abc import Sequence

from accounts.models import User
from digests.ask.found import Found, find_texts
from digests.ask.passages import MOST, Passage, choose_passages, question_terms
from digests.ask.types import Answer, AnswerSentence
from digests.text.hygiene import gives_orders

TOO_VAGUE = "Include a word or a name that says what you want to know."


def answer_extractively(user: User, question: str) -> Answer:
    """Needs no model and takes as long as a search."""
    if not question_terms(question):
        return Answer(problems=(TOO_VAGUE,))
    found = find_texts(user, question)
    return as_answer(found, relevant(found, question, MOST))


def relevant(found: Found, question: str, most: int) -> list[Passage]:
    """Sentences of the items, none of which speaks to a model in place of telling news."""
    return choose_passages(question, found.texts, most, is_news=lambda text: not gives_orders(text))


def as_answer(found: Found, passages: Sequence[Passage]) -> Answer:
    """Sources are numbered as they are cited first."""
    numbers = {index: n for n, index in enumerate(dict.fromkeys(p.source for p in passages), 1)}
    return Answer(
        sentences=tuple(AnswerSentence(one.text, (numbers[one.source],)) for one in passages),
        sources=tuple(found.source(index, number) for index, number in numbers.items()),
        problems=found.problems,
    )
