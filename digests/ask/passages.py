"""Choose the sentences of retrieved texts that answer a question best. Pure.

Sentences are scored by BM25 plus a bonus for their title, and selected by maximal marginal
relevance (Carbonell and Goldstein 1998). A sentence must share enough terms with the question.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

from digests.text.extract import BOILERPLATE, split_sentences
from feeds.core.datelines import without_leading_dateline
from feeds.search.query.function_words import without_function_words
from feeds.stories.grouping.tokenizer import terms_of, versions_conflict, versions_in

MAX_PASSAGES, MAX_PER_SOURCE = 5, 2
RELEVANCE = 0.7
NEAR_DUPLICATE = 0.6
MIN_SHARE = 0.5
"""Least share of the question's terms that a sentence with its title must contain, and of the
question's names that the text must contain."""
TITLE_WEIGHT = 0.3
K1, B = 1.2, 0.75
MAX_CHARACTERS = 12_000
"""Characters at the start of a text that are searched for an answer."""
LONGEST, SHORTEST = 420, 12
"""Length of a sentence in characters. The minimum is low because of Chinese and Japanese."""
_IRREGULAR = {
    past: present
    for present, *forms in (
        line.split()
        for line in """
        buy bought
        sell sold
        pay paid
        build built
        make made
        win won
        lose lost
        lead led
        grow grew grown
        begin began begun
        leave left
        find found
        give gave given
        take took taken
        choose chose chosen
        write wrote written
        speak spoke spoken
        fall fell fallen
        rise rose risen
        """.strip().splitlines()
    )
    for past in forms
}
"""Irregular English verbs: questions use the past tense and headlines the present."""
_HAN = re.compile(r"[぀-ヿ㐀-鿿가-힣]+")
_NAME = re.compile(r"(?<!^)(?<![.!?¿¡] )\b(?:[A-ZÀ-ÞА-Я][\w-]*|\w*\d\w*)")


@dataclass(frozen=True, slots=True)
class Text:
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence quoted from the text with index `source`. A higher score is better."""

    text: str
    source: int
    score: float


@dataclass(frozen=True, slots=True)
class _Candidate:
    text: str
    source: int
    terms: Counter[str]
    title: frozenset[str]


def question_terms(question: str) -> frozenset[str]:
    """The stems of the question's content words; empty for a question like "what is it?"."""
    return frozenset(_terms(" ".join(without_function_words(question.split()))))


def choose_passages(
    question: str,
    texts: Sequence[Text],
    most: int = MAX_PASSAGES,
    is_news: Callable[[str], bool] = lambda text: True,
) -> list[Passage]:
    """Return up to `most` relevant passages, best first, at most MAX_PER_SOURCE of one text.

    `is_news` decides last whether a sentence may be quoted.
    """
    wanted = question_terms(question)
    if not wanted:
        return []
    mentioning = [number for number, text in enumerate(texts) if _mentions_names(question, text)]
    candidates = [
        candidate for number in mentioning for candidate in _candidates(number, texts[number])
    ]
    candidates = [
        candidate for candidate in candidates if _has_same_version(question, candidate, texts)
    ]
    idf, average = _idf(wanted, candidates)
    relevant = _prefer_body(
        [candidate for candidate in candidates if _is_relevant(candidate, wanted)], texts
    )
    scored = [(_score(candidate, idf, average), candidate) for candidate in relevant]
    return _diverse(scored, wanted, most, is_news)


def _mentions_names(question: str, text: Text) -> bool:
    """Whether the text mentions the names of the question: a question about Kestrel should not
    be answered with news about another company."""
    names = {term for name in _NAME.findall(question) for term in _terms(name)}
    if not names:
        return True
    terms = set(_terms(f"{text.title} {text.body[:MAX_CHARACTERS]}"))
    return len(names & terms) >= MIN_SHARE * len(names)


def _has_same_version(question: str, candidate: _Candidate, texts: Sequence[Text]) -> bool:
    """Whether the candidate is about the version that was asked for: GPT-4 is not GPT-5."""
    versions = versions_in(f"{texts[candidate.source].title}\n{candidate.text}")
    return not versions_conflict(versions_in(question), versions)


def _candidates(number: int, text: Text) -> list[_Candidate]:
    title = frozenset(_terms(text.title))
    body = without_leading_dateline(text.body[:MAX_CHARACTERS], text.title)
    sentences = [s for s in split_sentences(body) if _is_quotable(s)]
    return [
        _Candidate(sentence, number, Counter(_terms(sentence)), title)
        for sentence in dict.fromkeys([*sentences, text.title])
    ]


def _prefer_body(relevant: Sequence[_Candidate], texts: Sequence[Text]) -> list[_Candidate]:
    """Drop the title of each text that has a relevant sentence: the sentence says more."""
    with_sentence = {c.source for c in relevant if c.text != texts[c.source].title}
    return [
        candidate
        for candidate in relevant
        if candidate.source not in with_sentence or candidate.text != texts[candidate.source].title
    ]


def _is_quotable(sentence: str) -> bool:
    fits = SHORTEST <= len(sentence) <= LONGEST
    has_words = len(sentence.split()) >= 4 or bool(_HAN.search(sentence))
    return fits and has_words and not BOILERPLATE.search(sentence)


def _is_relevant(candidate: _Candidate, wanted: frozenset[str]) -> bool:
    shared = wanted & candidate.terms.keys()
    return bool(shared) and len(shared | (wanted & candidate.title)) >= MIN_SHARE * len(wanted)


def _idf(
    wanted: frozenset[str], candidates: Sequence[_Candidate]
) -> tuple[dict[str, float], float]:
    """Return the inverse document frequency of each wanted term among the candidates, and the
    mean length of a candidate in terms."""
    total = len(candidates)
    counts = Counter(term for candidate in candidates for term in wanted & candidate.terms.keys())
    idf = {
        term: math.log(1 + (total - counts[term] + 0.5) / (counts[term] + 0.5)) for term in wanted
    }
    return idf, sum(candidate.terms.total() for candidate in candidates) / max(1, total) or 1.0


def _score(candidate: _Candidate, idf: dict[str, float], average: float) -> float:
    length = K1 * (1 - B + B * candidate.terms.total() / average)
    bm25 = sum(
        weight * candidate.terms[term] * (K1 + 1) / (candidate.terms[term] + length)
        for term, weight in idf.items()
    )
    in_title = sum(weight for term, weight in idf.items() if term in candidate.title)
    # The search returns the best texts first, so earlier texts weigh slightly more.
    return (bm25 + TITLE_WEIGHT * in_title) / (1 + 0.05 * candidate.source)


def _diverse(
    scored: list[tuple[float, _Candidate]],
    wanted: frozenset[str],
    most: int,
    is_news: Callable[[str], bool],
) -> list[Passage]:
    """Select by maximal marginal relevance, and return the selection by score."""
    remaining = sorted(scored, key=lambda pair: (-pair[0], pair[1].source))
    best = remaining[0][0] if remaining else 1.0
    chosen: list[tuple[float, _Candidate]] = []

    def overlap(candidate: _Candidate) -> float:
        return max((_similarity(candidate, other, wanted) for _, other in chosen), default=0.0)

    def gain(pair: tuple[float, _Candidate]) -> float:
        return RELEVANCE * pair[0] / best - (1 - RELEVANCE) * overlap(pair[1])

    while remaining and len(chosen) < most:
        pair = max(remaining, key=gain)
        remaining.remove(pair)
        chosen_of_source = sum(candidate.source == pair[1].source for _, candidate in chosen)
        is_new = chosen_of_source < MAX_PER_SOURCE and overlap(pair[1]) < NEAR_DUPLICATE
        if is_new and is_news(pair[1].text):
            chosen.append(pair)
    chosen.sort(key=lambda candidate: -candidate[0])
    return [
        Passage(candidate.text, candidate.source, round(score, 3)) for score, candidate in chosen
    ]


def _similarity(left: _Candidate, right: _Candidate, wanted: frozenset[str]) -> float:
    """Cosine similarity without the question's terms, which all candidates share."""
    ours, theirs = left.terms.keys() - wanted, right.terms.keys() - wanted
    return _cosine(ours, theirs) if ours or theirs else 1.0


def _cosine(left: Set[str], right: Set[str]) -> float:
    return len(left & right) / math.sqrt(len(left) * len(right)) if left and right else 0.0


def _terms(text: str) -> list[str]:
    """Stems of words, and character bigrams of scripts that are written without spaces."""
    pairs = [run[at : at + 2] for run in _HAN.findall(text) for at in range(max(1, len(run) - 1))]
    return [_IRREGULAR.get(term, _singular(term)) for term in terms_of(_HAN.sub(" ", text))] + pairs


def _singular(term: str) -> str:
    """Stem the short words that the stemmer of stories leaves unchanged: "pays" to "pay"."""
    is_short = 3 < len(term) <= 4 and term.endswith("s") and not term.endswith(("ss", "us", "is"))
    return term[:-1] if is_short else term
