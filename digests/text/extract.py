"""Choose sentences that stand in the sources themselves. Pure; no model needed.

Sentences are weighed by TF-IDF against the story's centroid and picked by maximal
marginal relevance (Carbonell and Goldstein 1998), one a source, near-duplicates dropped.
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
"""Characters, with what is before it."""
_WHOLE_WORD = re.compile(r"[^\W\d_]{5,}$")
_UNSPACED = re.compile(r"[぀-ヿ㐀-鿿]")
BOILERPLATE = re.compile(
    r"\b(read more|continue reading|the post .* appeared first|subscribe|sign up|click here|"
    r"all rights reserved|newsletter|cookie)\b|続きを読む|阅读全文|点击查看",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence as it stands in source number `source` (an index into the texts given)."""

    text: str
    source: int
    position: int


def split_sentences(text: str) -> list[str]:
    """Sentences of `text`, whole: no abbreviation ends one, nor a full stop within a quotation."""
    sentences: list[str] = []
    is_open = False
    for piece in _pieces(text):
        joins = " " if not _UNSPACED.search(piece) else ""
        if is_open:
            sentences[-1] += joins + piece
        else:
            sentences.append(piece)
        is_open = _goes_on(sentences[-1])
    return sentences


def length(text: str) -> int:
    """In words; two signs count as one where no spaces are written."""
    signs = len(_UNSPACED.findall(text))
    return len(_UNSPACED.sub(" ", text).split()) + signs // 2 if signs else len(text.split())


def choose_sentences(
    texts: Sequence[str],
    *,
    limit: int = 3,
    holds: Callable[[str, int], bool] = lambda text, source: True,
) -> list[Sentence]:
    """Up to `limit` sentences of at most 60 words together, in the order of their sources.

    `texts` come best source first; empty ones give nothing. `holds` has the last word on a
    sentence and the index of its text.
    """
    candidates = _candidates(texts)
    vectors = _vectors([candidate.text for candidate in candidates])
    centroid = _normalised(_sum(vectors))
    chosen: list[int] = []
    refused: set[int] = set()
    room = MAX_WORDS
    while len(chosen) < limit:
        best = _next(candidates, vectors, centroid, chosen, refused, room)
        if best is None:
            break
        if not holds(candidates[best].text, candidates[best].source):
            refused.add(best)
            continue
        chosen.append(best)
        room -= length(candidates[best].text)
    return [candidates[i] for i in sorted(chosen, key=lambda i: candidates[i].source)]


def _pieces(text: str) -> Iterable[str]:
    """What lies between ends of sentences."""
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
    """A full stop before lower case ends a sentence after a whole word alone: not in "ca. half"."""
    after = text[match.end() : match.end() + 3].lstrip("\"'“‘«([ ")
    if match.group().startswith("\n") or not after[:1].islower():
        return True
    return bool(_WHOLE_WORD.search(text[max(0, match.start() - 30) : match.start()]))


def _goes_on(sentence: str) -> bool:
    """After an abbreviation, or in a quotation that is not too long to be quoted whole."""
    if _ABBREVIATION.search(sentence[-LONGEST_ABBREVIATION:]):
        return True
    opened = sum(sentence.count(mark) for mark in "“«「『")
    closed = sum(sentence.count(mark) for mark in "”»」』")
    return opened > closed and length(sentence) < MAX_WORDS


def _candidates(texts: Sequence[str]) -> list[Sentence]:
    found: list[Sentence] = []
    for source, text in enumerate(texts):
        leading = split_sentences(text[:LEADING_CHARACTERS])[:LEADING_SENTENCES]
        for position, sentence in enumerate(leading):
            if 5 <= length(sentence) <= MAX_WORDS and not BOILERPLATE.search(sentence):
                found.append(Sentence(sentence, source, position))
    return found


def _next(
    candidates: Sequence[Sentence],
    vectors: Sequence[dict[str, float]],
    centroid: dict[str, float],
    chosen: Sequence[int],
    refused: set[int],
    room: int,
) -> int | None:
    used = {candidates[i].source for i in chosen}
    best, best_score = None, -math.inf
    for i, candidate in enumerate(candidates):
        if i in refused or candidate.source in used or length(candidate.text) > room:
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
