"""Answer a question by quoting sentences of the items that the reader can see."""

from collections.abc import Sequence

from accounts.models import User
from digests.ask.passages import MAX_PASSAGES, Passage, choose_passages, question_terms
from digests.ask.retrieval import Retrieved, retrieve
from digests.ask.types import Answer, AnswerSentence
from digests.text.hygiene import gives_orders

TOO_VAGUE = "Include a word or a name that says what you want to know."


def answer_extractively(user: User, question: str) -> Answer:
    """Answer without a language model, in about the time of a search."""
    if not question_terms(question):
        return Answer(problems=(TOO_VAGUE,))
    retrieved = retrieve(user, question)
    return extractive_answer(retrieved, relevant_passages(retrieved, question, MAX_PASSAGES))


def relevant_passages(retrieved: Retrieved, question: str, most: int) -> list[Passage]:
    """Return at most `most` sentences that answer the question. Sentences that give orders to a
    language model are left out."""
    return choose_passages(
        question, retrieved.texts, most, is_news=lambda text: not gives_orders(text)
    )


def extractive_answer(retrieved: Retrieved, passages: Sequence[Passage]) -> Answer:
    """Build an answer that quotes `passages`. Sources are numbered in the order of citation."""
    numbers = {index: n for n, index in enumerate(dict.fromkeys(p.source for p in passages), 1)}
    return Answer(
        sentences=tuple(
            AnswerSentence(passage.text, (numbers[passage.source],)) for passage in passages
        ),
        sources=tuple(retrieved.source(index, number) for index, number in numbers.items()),
        problems=retrieved.problems,
    )
