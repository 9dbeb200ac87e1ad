"""Summarise stories in a few cited sentences: by a language model, or else extractively.

The result of a model, even a failure, is stored under a hash of the texts that it was given. All
readers who see the same items share it, and no other reader gets it.
"""

import json
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from hashlib import blake2b

from django.conf import settings
from django.utils.crypto import salted_hmac

from ainews_site.infra import db_clock
from ainews_site.infra.process_state import resets_process_state
from digests.editions.edition import CitedSentence
from digests.models import StorySummary
from digests.text.check import Sentence, Source, validation_error
from digests.text.extract import LEADING_CHARACTERS, choose_sentences
from digests.text.hygiene import MAX_CHARACTERS, cleaned, gives_orders, visible
from digests.text.prompt import (
    MAX_TOKENS,
    MAX_WORDS,
    SCHEMA,
    VERSION,
    Draft,
    build_correction,
    build_messages,
    read_draft,
)
from feeds.ai.language.complete import complete, is_configured
from feeds.ai.language.errors import BadReplyError, LanguageModelError
from feeds.core.datelines import without_leading_dateline

logger = logging.getLogger(__name__)

EXTRACTIVE = "extractive"
MAX_AGE = timedelta(days=60)
MAX_EXTRACTED, MAX_PREPARED = 5_000, 64
"""Extractive summaries and prepared articles that a process caches, of 1 KB and up to 1 MB."""
MAX_EXTRACTED_FROM = LEADING_CHARACTERS * 2
"""Characters of an article that an extractive summary is made of."""
MAX_TOTAL_CHARACTERS = 6000
"""Characters of all texts of a story together: about 1,500 tokens, which suit small models."""


@dataclass(frozen=True, slots=True)
class Article:
    """An item to summarise. Sentences cite it by its position in the list, from 1."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Summary:
    """The sentences on a story.

    `why` says why the story matters, if a source does. `written_by` is a model's name or
    "extractive".
    """

    sentences: tuple[CitedSentence, ...]
    why: CitedSentence | None = None
    written_by: str = EXTRACTIVE


_extracted: dict[str, Summary] = {}
"""{hash of the articles: their extractive summary} of this process."""
_extracted_lock = threading.Lock()


@resets_process_state
def clear_extracted() -> None:
    """Drop what this process has cached of articles."""
    with _extracted_lock:
        _extracted.clear()
    _prepare.cache_clear()


@dataclass(slots=True)
class _DraftResult:
    """The sentences of a model that passed the check, and statistics for StorySummary.

    `drafted` counts all sentences that it wrote, `held` those that passed.
    """

    sentences: list[Sentence] = field(default_factory=list)
    why: Sentence | None = None
    drafted: int = 0
    held: int = 0
    complaints: list[str] = field(default_factory=list)


def write_stories(stories: Sequence[Sequence[Article]], *, seconds: float = 0.0) -> list[Summary]:
    """Summarise each of the stories.

    The model is called for at most `seconds` in total. Stored summaries are used even if `seconds`
    is 0, with one query.
    """
    if not is_configured():
        return [summarise_extractively(articles) for articles in stories]
    until = time.monotonic() + seconds
    keys = [_key(articles) for articles in stories]
    known = {row.key: row for row in StorySummary.objects.filter(key__in=keys)}
    summaries = []
    for key, articles in zip(keys, stories, strict=True):
        row = known.get(key)
        if row is None and time.monotonic() < until:
            row = _write_by_model(key, articles)
        summaries.append(
            _summary_of(row) if row and row.sentences else summarise_extractively(articles)
        )
    return summaries


def summarise_extractively(articles: Sequence[Article]) -> Summary:
    """Summarise by sentences of the articles, which must pass the same check as a model's.

    Summaries are cached under a hash of all texts that they depend on. Readers of the same
    articles share them, and nobody gets one of texts that they were not given.
    """
    articles = [Article(one.title, one.text[:MAX_EXTRACTED_FROM]) for one in articles]
    key = _hash([[article.title, article.text] for article in articles])
    summary = _extracted.get(key)
    if summary is None:
        summary = _extract(articles)
        with _extracted_lock:
            while len(_extracted) >= MAX_EXTRACTED:
                del _extracted[next(iter(_extracted))]  # the oldest
            _extracted[key] = summary
    return summary


def _extract(articles: Sequence[Article]) -> Summary:
    prepared = [_prepare(article) for article in articles]
    sources = [source for _, source in prepared]

    def is_supported(text: str, source: int) -> bool:
        sentence = Sentence(text, (source + 1,))
        if text.strip(". ").casefold() == articles[source].title.strip(". ").casefold():
            return False  # it repeats the headline
        if text.rstrip("\"'”’»").endswith("?"):
            return False  # a question says nothing
        return not gives_orders(text) and not validation_error(sentence, sources)

    chosen = choose_sentences([text for text, _ in prepared], is_supported=is_supported)
    return Summary(tuple(CitedSentence(s.text, (s.source + 1,)) for s in chosen))


@lru_cache(maxsize=MAX_PREPARED)
def _prepare(article: Article) -> tuple[str, Source]:
    """The visible text of an article without its dateline, and what the checks extract from it.
    Readers whose stories have other articles too share this."""
    text = without_leading_dateline(visible(article.text), article.title)
    return text, Source(f"{article.title}\n{text}")


def forget_old_summaries() -> int:
    """Delete old summaries. Return how many."""
    return StorySummary.objects.filter(created_at__lt=db_clock.now() - MAX_AGE).delete()[0]


def _summary_of(row: StorySummary) -> Summary:
    sentences = tuple(CitedSentence(text, tuple(cites)) for text, cites in row.sentences)
    why = CitedSentence(row.why[0], tuple(row.why[1])) if row.why else None
    return Summary(sentences, why, row.model)


def _write_by_model(key: str, articles: Sequence[Article]) -> StorySummary | None:
    """Let the model write a summary, and store the result. None if it could not be reached."""
    texts = {
        number: text
        for number, text in enumerate(_texts_for_model(articles), 1)
        if not gives_orders(f"{articles[number - 1].title}\n{articles[number - 1].text}")
    }
    draft_result = _DraftResult(complaints=["every source addresses the model"])
    try:
        if texts:
            draft_result = _ask_model(list(texts.values()), _nonce(key))
    except LanguageModelError as error:
        logger.warning("story_not_summarised reason=%s", error)
        if not (isinstance(error, BadReplyError) and error.text):
            return None
        draft_result = _DraftResult(
            complaints=[str(error)]
        )  # stored, because a retry would give the same
    return _store(key, draft_result, list(texts))


def _ask_model(texts: Sequence[str], nonce: str) -> _DraftResult:
    """Call the model, and once more with the errors of its first draft if there are any."""
    sources = [Source(text) for text in texts]
    draft_result = _DraftResult()
    messages = build_messages(texts, nonce)
    for _ in range(2):
        answer = complete(messages, SCHEMA, "digest", version=VERSION, max_tokens=MAX_TOKENS).data
        errors = _check_draft(read_draft(answer), sources, draft_result)
        if not errors:
            break
        draft_result.complaints += errors
        messages = build_correction(
            build_messages(texts, nonce), json.dumps(answer, ensure_ascii=False), errors
        )
    return draft_result


def _check_draft(draft: Draft, sources: Sequence[Source], draft_result: _DraftResult) -> list[str]:
    """Check a draft, and set the result to the sentences that passed. Return the errors.

    If the first sentence fails, no sentence is used, because the others may refer to it.
    """
    checks = [validation_error(sentence, sources) for sentence in draft.sentences]
    errors = [f"sentence {n}: {error}" for n, error in enumerate(checks, 1) if error]
    draft_result.drafted += len(checks)
    draft_result.held += len(checks) - len(errors)
    passed = [s for s, error in zip(draft.sentences, checks, strict=True) if not error]
    is_usable = bool(checks) and not checks[0]
    draft_result.sentences = _within_limit(passed) if is_usable else []
    draft_result.why = None
    if draft.why is not None:
        error = validation_error(draft.why, sources)
        draft_result.drafted, draft_result.held = (
            draft_result.drafted + 1,
            draft_result.held + (not error),
        )
        draft_result.why = draft.why if is_usable and not error else None
        errors += [f"why: {error}"] if error else []
    return errors or ([] if checks else ["there is no sentence"])


def _within_limit(sentences: Sequence[Sentence]) -> list[Sentence]:
    """The first sentences of at most MAX_WORDS words in total, and at least one."""
    fitting: list[Sentence] = []
    words = 0
    for sentence in sentences:
        words += len(sentence.text.split())
        if fitting and words > MAX_WORDS:
            break
        fitting.append(sentence)
    return fitting


def _store(key: str, draft_result: _DraftResult, numbers: Sequence[int]) -> StorySummary:
    """Store the result. `numbers` are the edition's numbers of the texts that the model saw."""

    def row(sentence: Sentence) -> list[object]:
        return [sentence.text, [numbers[n - 1] for n in sentence.cites]]

    model = settings.LLM_MODEL
    summary, _ = StorySummary.objects.update_or_create(
        key=key,
        defaults={
            "model": model,
            "version": VERSION,
            "sentences": [row(sentence) for sentence in draft_result.sentences],
            "why": row(draft_result.why) if draft_result.why else None,
            "drafted": draft_result.drafted,
            "held": draft_result.held,
            "complaints": draft_result.complaints[:10],
            "created_at": db_clock.now(),
        },
    )
    logger.info(
        "story_summarised model=%s drafted=%s held=%s",
        model,
        draft_result.drafted,
        draft_result.held,
    )
    return summary


def _texts_for_model(articles: Sequence[Article]) -> list[str]:
    """The cleaned texts that the model sees, cut to ROOM characters in total."""
    most = min(MAX_CHARACTERS, MAX_TOTAL_CHARACTERS // max(1, len(articles)))
    return [cleaned(f"{article.title}\n{article.text}", most) for article in articles]


def _key(articles: Sequence[Article]) -> str:
    return _hash([settings.LLM_MODEL, VERSION, _texts_for_model(articles)])


def _hash(values: Sequence[object]) -> str:
    written = json.dumps(values, ensure_ascii=False)
    return blake2b(written.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


def _nonce(key: str) -> str:
    """A secret that fences the texts. It depends only on the contents, so that the same prompt
    is built again and its cached reply is found; authors of feeds cannot guess it."""
    return salted_hmac("digests.editions.summarise", key).hexdigest()[:16]
