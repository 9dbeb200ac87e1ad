"""Choose sentences that stand in the sources themselves. Pure; no model needed.

Sentences are weighed by TF-IDF against the story's centroid and picked by maximal
marginal relevance (Carbonell and Goldstein 1998), one a source, near-duplicates dropped.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MAX_WORDS = 60
RELEVANCE = 0.7
NEAR_DUPLICATE = 0.6
LEADING_SENTENCES = 6
BOUNDARY = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[A-Z0-9À-ÞЀ-Я一-鿿])|\n+")
ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|etc|e\.g|i\.e|Inc|Ltd|Corp|No|[A-Z]))\.$"
)
WORD = re.compile(r"\w+")
BOILERPLATE = re.compile(
    r"\b(read more|continue reading|the post .* appeared first|subscribe|sign up|click here|"
    r"all rights reserved|newsletter|cookie)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence as it stands in source number `source` (an index into the texts given)."""

    text: str
    source: int
    position: int


def split_sentences(text: str) -> list[str]:
    """Sentences of `text`, whole: an abbreviation does not end one."""
    sentences: list[str] = []
    for piece in BOUNDARY.split(text):
        piece = " ".join(piece.split())
        if not piece:
            continue
        if sentences and ABBREVIATION.search(sentences[-1]):
            sentences[-1] += " " + piece
        else:
            sentences.append(piece)
    return sentences


def choose_sentences(texts: Sequence[str], *, limit: int = 3) -> list[Sentence]:
    """Up to `limit` sentences of at most 60 words together, in the order of their sources.

    `texts` come best source first; empty ones give nothing.
    """
    candidates = _candidates(texts)
    if not candidates:
        return []
    vectors = _vectors([candidate.text for candidate in candidates])
    centroid = _normalised(_sum(vectors))
    chosen: list[int] = []
    words = 0
    while len(chosen) < limit:
        best = _next(candidates, vectors, centroid, chosen, MAX_WORDS - words)
        if best is None:
            break
        chosen.append(best)
        words += len(candidates[best].text.split())
    return [candidates[i] for i in sorted(chosen, key=lambda i: candidates[i].source)]


def _candidates(texts: Sequence[str]) -> list[Sentence]:
    found: list[Sentence] = []
    for source, text in enumerate(texts):
        leading = split_sentences(text[:4000])[:LEADING_SENTENCES]
        for position, sentence in enumerate(leading):
            if 5 <= len(sentence.split()) <= 45 and not BOILERPLATE.search(sentence):
                found.append(Sentence(sentence, source, position))
    return found


def _next(
    candidates: Sequence[Sentence],
    vectors: Sequence[dict[str, float]],
    centroid: dict[str, float],
    chosen: Sequence[int],
    room: int,
) -> int | None:
    used = {candidates[i].source for i in chosen}
    best, best_score = None, -math.inf
    for i, candidate in enumerate(candidates):
        if candidate.source in used or len(candidate.text.split()) > room:
            continue
        overlap = max((_dot(vectors[i], vectors[j]) for j in chosen), default=0.0)
        if overlap >= NEAR_DUPLICATE:
            continue
        # A lead sentence is a hard baseline for news: the first ones weigh more.
        lead = 1.0 / (1.0 + 0.5 * candidate.position) / (1.0 + 0.1 * candidate.source)
        relevance = 0.5 * _dot(vectors[i], centroid) + 0.5 * lead
        score = RELEVANCE * relevance - (1 - RELEVANCE) * overlap
        if score > best_score:
            best, best_score = i, score
    return best


def _vectors(sentences: Sequence[str]) -> list[dict[str, float]]:
    counts = [Counter(word.lower() for word in WORD.findall(s)) for s in sentences]
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
