"""Let a language model answer a question from retrieved items.

Each sentence of the model is checked against the texts that it cites and dropped if it fails.
"""

import logging
from collections.abc import Sequence
from hashlib import blake2b

from django.conf import settings
from django.utils.crypto import salted_hmac

from accounts.models import User
from digests.ask.answer import relevant_passages
from digests.ask.passages import Passage
from digests.ask.prompt import MAX_TOKENS, SCHEMA, VERSION, build_messages, read_answer
from digests.ask.retrieval import retrieve
from digests.ask.types import Answer, AnswerSentence
from digests.text.check import Sentence, Source, validation_error
from digests.text.hygiene import cleaned
from feeds.ai.language.complete import complete

logger = logging.getLogger(__name__)

MAX_PASSAGES = 10
"""The model sees twice as many sentences as an extractive answer would quote."""


def answer_by_model(user: User, question: str) -> Answer:
    """Call the model and return its checked answer. Only workers call this, as it is slow.

    The answer has no sentences if nothing is relevant or no sentence passed the check. Raises
    LanguageModelError.
    """
    retrieved = retrieve(user, question)
    shown = _by_source(relevant_passages(retrieved, question, MAX_PASSAGES))
    if not shown:
        return Answer(written_by=settings.LLM_MODEL)
    texts = [
        cleaned("\n".join(dict.fromkeys([retrieved.texts[n].title, *sentences])))
        for n, sentences in shown.items()
    ]
    supported = _ask(question, texts)
    cited = sorted({number for sentence in supported for number in sentence.cites})
    numbers = {old: new for new, old in enumerate(cited, 1)}
    indices = list(shown)
    return Answer(
        tuple(
            AnswerSentence(sentence.text, tuple(numbers[n] for n in sentence.cites))
            for sentence in supported
        ),
        tuple(retrieved.source(indices[old - 1], new) for old, new in numbers.items()),
        settings.LLM_MODEL,
    )


def _by_source(passages: Sequence[Passage]) -> dict[int, list[str]]:
    """Group passages by text, {index of the text: sentences}, best first."""
    shown: dict[int, list[str]] = {}
    for passage in passages:
        shown.setdefault(passage.source, []).append(passage.text)
    return shown


def _ask(question: str, texts: Sequence[str]) -> list[Sentence]:
    """Return the model's sentences that their sources support.

    The list is empty if the first sentence fails, because the others may refer to it.
    """
    messages = build_messages(cleaned(question), texts, _nonce(question, texts))
    reply = complete(messages, SCHEMA, "ask", version=VERSION, max_tokens=MAX_TOKENS)
    sources = [Source(text) for text in texts]
    drafted = read_answer(reply.data)
    errors = [validation_error(sentence, sources) for sentence in drafted]
    supported = [sentence for sentence, error in zip(drafted, errors, strict=True) if not error]
    logger.info("question_answered drafted=%s held=%s", len(drafted), len(supported))
    return supported if errors and not errors[0] else []


def _nonce(question: str, texts: Sequence[str]) -> str:
    """A secret that fences the texts. It depends only on the contents, so that the same prompt
    is built again and its cached reply is found; authors of feeds cannot guess it."""
    contents = "\n".join([question, *texts]).encode("utf-8", "surrogatepass")
    key = blake2b(contents, digest_size=16).hexdigest()
    return salted_hmac("digests.ask", key).hexdigest()[:16]
