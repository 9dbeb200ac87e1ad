"""Have a language model answer from what was found; what does not hold is dropped."""

import logging
from collections.abc import Sequence
from hashlib import blake2b

from django.conf import settings
from django.utils.crypto import salted_hmac

from accounts.models import User
from digests.ask.answer import relevant
from digests.ask.found import find_texts
from digests.ask.passages import Passage
from digests.ask.prompt import MOST_TOKENS, SCHEMA, VERSION, ask_for, read_answer
from digests.ask.types import Answer, AnswerSentence
from digests.text.check import Sentence, Source, complaint
from digests.text.hygiene import cleaned
from feeds.ai.language.complete import complete

logger = logging.getLogger(__name__)

MOST_PASSAGES = 10
"""Sentences that the model is shown: what would be quoted, and as many again."""


def answer_by_model(user: User, question: str) -> Answer:
    """For the worker. Without sentences where nothing is relevant or nothing held. Raises
    LanguageModelError in words."""
    found = find_texts(user, question)
    shown = _by_source(relevant(found, question, MOST_PASSAGES))
    if not shown:
        return Answer(written_by=settings.LLM_MODEL)
    texts = [
        cleaned("\n".join(dict.fromkeys([found.texts[n].title, *said])))
        for n, said in shown.items()
    ]
    held = _ask(question, texts)
    cited = sorted({number for sentence in held for number in sentence.cites})
    numbers = {old: new for new, old in enumerate(cited, 1)}
    indices = list(shown)
    return Answer(
        tuple(AnswerSentence(one.text, tuple(numbers[n] for n in one.cites)) for one in held),
        tuple(found.source(indices[old - 1], new) for old, new in numbers.items()),
        settings.LLM_MODEL,
    )


def _by_source(passages: Sequence[Passage]) -> dict[int, list[str]]:
    """{index of a text: its sentences}, the best first."""
    shown: dict[int, list[str]] = {}
    for passage in passages:
        shown.setdefault(passage.source, []).append(passage.text)
    return shown


def _ask(question: str, texts: Sequence[str]) -> list[Sentence]:
    """Those of the model's sentences that their sources hold up. None where the first does not:
    the others may lean on it."""
    asked = ask_for(cleaned(question), texts, _nonce(question, texts))
    reply = complete(asked, SCHEMA, "ask", version=VERSION, max_tokens=MOST_TOKENS)
    sources = [Source(text) for text in texts]
    drafted = read_answer(reply.data)
    verdicts = [complaint(one, sources) for one in drafted]
    held = [one for one, wrong in zip(drafted, verdicts, strict=True) if not wrong]
    logger.info("question_answered drafted=%s held=%s", len(drafted), len(held))
    return held if verdicts and not verdicts[0] else []


def _nonce(question: str, texts: Sequence[str]) -> str:
    """The same for the same contents, so that a reply is found again; no author can know it."""
    written = "\n".join([question, *texts]).encode("utf-8", "surrogatepass")
    key = blake2b(written, digest_size=16).hexdigest()
    return salted_hmac("digests.ask", key).hexdigest()[:16]
