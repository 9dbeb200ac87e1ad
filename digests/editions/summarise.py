"""Tell a story in a few cited sentences: by the language model where it may, else extractively.

What a model wrote, and that it failed, is kept by the contents that it was asked about: all
readers who see the same items share it, and nobody else gets it.
"""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b

from django.conf import settings
from django.utils.crypto import salted_hmac

from ainews_site.infra import db_clock
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

log = logging.getLogger(__name__)

EXTRACTIVE = "extractive"
KEPT = timedelta(days=60)
ROOM = 6000
"""Characters of all sources of a story: some 1,500 tokens, so that small models have room."""


@dataclass(frozen=True, slots=True)
class Article:
    """An item as it is summed up: its number in the edition is its place, from 1."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Summary:
    """`why` it matters, where a source says so; `written_by` is a model's name or "extractive"."""

    sentences: tuple[CitedSentence, ...]
    why: CitedSentence | None = None
    written_by: str = EXTRACTIVE


@dataclass(slots=True)
class _Verdict:
    """What a model wrote of a story, and how much of it held."""

    sentences: list[Sentence] = field(default_factory=list)
    why: Sentence | None = None
    drafted: int = 0
    held: int = 0
    complaints: list[str] = field(default_factory=list)


def write_stories(stories: Sequence[Sequence[Article]], *, seconds: float = 0.0) -> list[Summary]:
    """Each of the stories. A model is asked for `seconds` at most, and not at all with none;
    what it has written before is used in any case. One query where nothing is asked."""
    if not is_configured():
        return [extract(articles) for articles in stories]
    until = time.monotonic() + seconds
    keys = [_key(articles) for articles in stories]
    known = {row.key: row for row in StorySummary.objects.filter(key__in=keys)}
    told = []
    for key, articles in zip(keys, stories, strict=True):
        row = known.get(key)
        if row is None and time.monotonic() < until:
            row = _write(key, articles)
        told.append(_told(row) if row and row.sentences else extract(articles))
    return told


def extract(articles: Sequence[Article]) -> Summary:
    """Sentences as they stand in the items, held to the same check as a model's."""
    texts = [visible(article.text[: LEADING_CHARACTERS * 2]) for article in articles]
    sources = [Source(f"{one.title}\n{text}") for one, text in zip(articles, texts, strict=True)]

    def is_supported(text: str, source: int) -> bool:
        sentence = Sentence(text, (source + 1,))
        if text.strip(". ").casefold() == articles[source].title.strip(". ").casefold():
            return False  # the headline says it already
        return not gives_orders(text) and not validation_error(sentence, sources)

    chosen = choose_sentences(texts, is_supported=is_supported)
    return Summary(tuple(CitedSentence(one.text, (one.source + 1,)) for one in chosen))


def forget_old_summaries() -> int:
    """Drop those of long ago; how many."""
    return StorySummary.objects.filter(created_at__lt=db_clock.now() - KEPT).delete()[0]


def _told(row: StorySummary) -> Summary:
    sentences = tuple(CitedSentence(text, tuple(cites)) for text, cites in row.sentences)
    why = CitedSentence(row.why[0], tuple(row.why[1])) if row.why else None
    return Summary(sentences, why, row.model)


def _write(key: str, articles: Sequence[Article]) -> StorySummary | None:
    """Ask the model and keep what came of it; None where it could not be asked."""
    texts = {
        number: shown
        for number, shown in enumerate(_shown(articles), 1)
        if not gives_orders(f"{articles[number - 1].title}\n{articles[number - 1].text}")
    }
    verdict = _Verdict(complaints=["every source speaks to the model"])
    try:
        if texts:
            verdict = _ask(list(texts.values()), _nonce(key))
    except LanguageModelError as error:
        log.warning("story_not_summarised reason=%s", error)
        if not (isinstance(error, BadReplyError) and error.text):
            return None
        verdict = _Verdict(complaints=[str(error)])  # it would write the same again
    return _keep(key, verdict, list(texts))


def _ask(texts: Sequence[str], nonce: str) -> _Verdict:
    """Once, and once more with what is wrong with it."""
    sources = [Source(text) for text in texts]
    verdict = _Verdict()
    asked = build_messages(texts, nonce)
    for _ in range(2):
        answer = complete(asked, SCHEMA, "digest", version=VERSION, max_tokens=MAX_TOKENS).data
        complaints = _judge(read_draft(answer), sources, verdict)
        if not complaints:
            break
        verdict.complaints += complaints
        asked = build_correction(
            build_messages(texts, nonce), json.dumps(answer, ensure_ascii=False), complaints
        )
    return verdict


def _judge(draft: Draft, sources: Sequence[Source], verdict: _Verdict) -> list[str]:
    """Take over what holds, as long as the first sentence does: the others may lean on it."""
    verdicts = [validation_error(one, sources) for one in draft.sentences]
    wrong = [f"sentence {n}: {said}" for n, said in enumerate(verdicts, 1) if said]
    verdict.drafted += len(verdicts)
    verdict.held += len(verdicts) - len(wrong)
    held = [one for one, said in zip(draft.sentences, verdicts, strict=True) if not said]
    opens = bool(verdicts) and not verdicts[0]
    verdict.sentences = _within(held) if opens else []
    verdict.why = None
    if draft.why is not None:
        said = validation_error(draft.why, sources)
        verdict.drafted, verdict.held = verdict.drafted + 1, verdict.held + (not said)
        verdict.why = draft.why if opens and not said else None
        wrong += [f"why: {said}"] if said else []
    return wrong or ([] if verdicts else ["there is no sentence"])


def _within(sentences: Sequence[Sentence]) -> list[Sentence]:
    """As many as the entry has room for; the first in any case."""
    kept: list[Sentence] = []
    words = 0
    for sentence in sentences:
        words += len(sentence.text.split())
        if kept and words > MAX_WORDS:
            break
        kept.append(sentence)
    return kept


def _keep(key: str, verdict: _Verdict, numbers: Sequence[int]) -> StorySummary:
    """`numbers` are those of the sources that the model was shown, in the edition's counting."""

    def row(sentence: Sentence) -> list[object]:
        return [sentence.text, [numbers[n - 1] for n in sentence.cites]]

    model = settings.LLM_MODEL
    kept, _ = StorySummary.objects.update_or_create(
        key=key,
        defaults={
            "model": model,
            "version": VERSION,
            "sentences": [row(one) for one in verdict.sentences],
            "why": row(verdict.why) if verdict.why else None,
            "drafted": verdict.drafted,
            "held": verdict.held,
            "complaints": verdict.complaints[:10],
            "created_at": db_clock.now(),
        },
    )
    log.info("story_summarised model=%s drafted=%s held=%s", model, verdict.drafted, verdict.held)
    return kept


def _shown(articles: Sequence[Article]) -> list[str]:
    """What a model may see of each, all together within its room."""
    most = min(MAX_CHARACTERS, ROOM // max(1, len(articles)))
    return [cleaned(f"{article.title}\n{article.text}", most) for article in articles]


def _key(articles: Sequence[Article]) -> str:
    written = json.dumps(
        [settings.LLM_MODEL, VERSION, _shown(articles)],
        ensure_ascii=False,
    )
    return blake2b(written.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


def _nonce(key: str) -> str:
    """The same for the same contents, so that a reply is found again; no author can know it."""
    return salted_hmac("digests.editions.summarise", key).hexdigest()[:16]
