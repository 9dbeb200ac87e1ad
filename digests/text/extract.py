"""Summarise a story by choosing sentences of its sources, without a language model. Pure.

Sentences are scored by the similarity of their TF-IDF vector to the story's centroid, and selected
by maximal marginal relevance (Carbonell and Goldstein 1998): at most one of each source, and no
near-duplicates.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from digests.text.check import content_words

MAX_WORDS = 60
RELEVANCE = 0.7
NEAR_DUPLICATE = 0.6
LEADING_SENTENCES = 6
LEADING_CHARACTERS = 4000
_END = re.compile(r"(?<![.!?…؟۔।])[.!?…؟۔।]++[\"'”’»)\]]*(?=\s)|[。！？]+[」』）”’»)]*|\n+")
_ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|Gen|Sen|Rep|Gov|vs|etc|e\.g|i\.e|al|approx|ca|Fig|Inc|Ltd"
    r"|Corp|Co|No|Nr|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|bzw|z\.B|d\.h|[A-ZÀ-ÞА-Я]))\.$"
)
LONGEST_ABBREVIATION = 12
"""Characters at the end of a sentence that are searched for an abbreviation."""
_WHOLE_WORD = re.compile(r"[^\W\d_]{5,}$")
_UNSPACED = re.compile(r"[぀-ヿ㐀-鿿]")
BOILERPLATE = re.compile(
    r"\b(read more|continue reading|the post .* appeared first|subscribe|sign up|click here|"
    r"all rights reserved|newsletter|cookie)\b|続きを読む|阅读全文|点击查看",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence quoted from the text with index `source`. `position` is its index there."""

    text: str
    source: int
    position: int


def split_sentences(text: str) -> list[str]:
    """Split `text` into sentences. Abbreviations and full stops in quotations end none."""
    sentences: list[str] = []
    is_open = False
    for piece in _pieces(text):
        joins = " " if not _UNSPACED.search(piece) else ""
        if is_open:
            sentences[-1] += joins + piece
        else:
            sentences.append(piece)
        is_open = _is_incomplete(sentences[-1])
    return sentences


def length(text: str) -> int:
    """The length in words. Two characters of Chinese or Japanese count as one word."""
    signs = len(_UNSPACED.findall(text))
    return len(_UNSPACED.sub(" ", text).split()) + signs // 2 if signs else len(text.split())


def choose_sentences(
    texts: Sequence[str],
    *,
    limit: int = 3,
    is_supported: Callable[[str, int], bool] = lambda text, source: True,
) -> list[Sentence]:
    """Return up to `limit` sentences of at most 60 words in total, in the order of their texts.

    `texts` are ordered by the quality of their source, best first. `is_supported(sentence,
    index of its text)` decides last whether a sentence may be used.
    """
    candidates = _candidates(texts)
    vectors = _vectors([candidate.text for candidate in candidates])
    centroid = _normalised(_sum(vectors))
    chosen: list[int] = []
    rejected: set[int] = set()
    words_left = MAX_WORDS
    while len(chosen) < limit:
        best = _next(candidates, vectors, centroid, chosen, rejected, words_left)
        if best is None:
            break
        if not is_supported(candidates[best].text, candidates[best].source):
            rejected.add(best)
            continue
        chosen.append(best)
        words_left -= length(candidates[best].text)
    return [candidates[i] for i in sorted(chosen, key=lambda i: candidates[i].source)]


def _pieces(text: str) -> Iterable[str]:
    """Cut `text` at the ends of sentences, without joining what abbreviations cut."""
    start = 0
    for match in _END.finditer(text):
        if not _ends(text, match):
            continue
        if piece := " ".join(text[start : match.end()].split()):
            yield piece
        start = match.end()
    if piece := " ".join(text[start:].split()):
        yield piece


def _ends(text: str, match: re.Match[str]) -> bool:
    """Whether the match ends a sentence. Before lower case it does only after a whole word, so
    that "ca. half" is not cut."""
    after = text[match.end() : match.end() + 3].lstrip("\"'“‘«([ ")
    if match.group().startswith("\n") or not after[:1].islower():
        return True
    return bool(_WHOLE_WORD.search(text[max(0, match.start() - 30) : match.start()]))


def _is_incomplete(sentence: str) -> bool:
    """Whether the next piece belongs to this sentence: it ends with an abbreviation, or inside a
    quotation that is short enough to be kept whole."""
    if _ABBREVIATION.search(sentence[-LONGEST_ABBREVIATION:]):
        return True
    opened = sum(sentence.count(mark) for mark in "“«「『")
    closed = sum(sentence.count(mark) for mark in "”»」』")
    return opened > closed and length(sentence) < MAX_WORDS


def _candidates(texts: Sequence[str]) -> list[Sentence]:
    candidates: list[Sentence] = []
    for source, text in enumerate(texts):
        leading = split_sentences(text[:LEADING_CHARACTERS])[:LEADING_SENTENCES]
        for position, sentence in enumerate(leading):
            if 5 <= length(sentence) <= MAX_WORDS and not BOILERPLATE.search(sentence):
                candidates.append(Sentence(sentence, source, position))
    return candidates


def _next(
    candidates: Sequence[Sentence],
    vectors: Sequence[dict[str, float]],
    centroid: dict[str, float],
    chosen: Sequence[int],
    rejected: set[int],
    words_left: int,
) -> int | None:
    """Return the index of the next candidate to choose, None if none fits."""
    used = {candidates[i].source for i in chosen}
    best, best_score = None, -math.inf
    for i, candidate in enumerate(candidates):
        if i in rejected or candidate.source in used or length(candidate.text) > words_left:
            continue
        overlap = max((_dot(vectors[i], vectors[j]) for j in chosen), default=0.0)
        if overlap >= NEAR_DUPLICATE:
            continue
        # News articles state the facts first, so leading sentences weigh more.
        lead = 1.0 / (1.0 + 0.5 * candidate.position) / (1.0 + 0.1 * candidate.source)
        relevance = 0.5 * _dot(vectors[i], centroid) + 0.5 * lead
        score = RELEVANCE * relevance - (1 - RELEVANCE) * overlap
        if score > best_score:
            best, best_score = i, score
    return best


def _vectors(sentences: Sequence[str]) -> list[dict[str, float]]:
    counts = [Counter(content_words(sentence)) for sentence in sentences]
    frequency = Counter(word for count in counts for word in count)
    total = len(counts)
    return [
        _normalised({w: n * math.log((1 + total) / (0.5 + frequency[w])) for w, n in count.items()})
        for count in counts
    ]


def _sum(vectors: Iterable[dict[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for vector in vectors:
        for word, weight in vector.items():
            total[word] = total.get(word, 0.0) + weight
    return total


def _normalised(vector: dict[str, float]) -> dict[str, float]:
    length = math.sqrt(sum(weight * weight for weight in vector.values()))
    return {word: weight / length for word, weight in vector.items()} if length else vector


def _dot(a: dict[str, float], b: dict[str, float]) -> float:
    if len(a) > len(b):
        a, b = b, a
    return sum(weight * b.get(word, 0.0) for word, weight in a.items())
