"""Choose the first stories that a reader sees: diverse ones, and one to explore. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from zlib import crc32

RELEVANCE = 0.7
"""Lambda of maximal marginal relevance (Carbonell and Goldstein, 1998). Scores are scaled to 0..1
first, because they are close to each other while similarities use the whole range."""
MAX_COMPARED = 100
MAX_PER_SOURCE = 2
MAX_PER_TOPIC = 3
PER_ODD = 10
"""One place in so many is for an exploration item."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A ranked story. `key` identifies it for the caller."""

    key: int
    score: float
    topics: tuple[str, ...]
    lead_source: int


def diversify(candidates: Iterable[Candidate], most: int) -> list[int]:
    """Choose up to `most` candidates by maximal marginal relevance. Return keys, best score first.

    At most two have the same lead source, and at most three the same first topic.
    """
    remaining = sorted(candidates, key=_order)[:MAX_COMPARED]
    if not remaining:
        return []
    lowest, span = remaining[-1].score, (remaining[0].score - remaining[-1].score) or 1.0
    gain = {c.key: RELEVANCE * (c.score - lowest) / span for c in remaining}
    topics = {c.key: frozenset(c.topics) for c in remaining}
    max_similarity = dict.fromkeys(gain, 0.0)
    by_key = {c.key: c for c in remaining}
    values = {key: (value, key) for key, value in gain.items()}
    """{key: what is compared}, of those that may still be chosen"""
    chosen: list[Candidate] = []
    while values and len(chosen) < most:
        best = by_key[max(values.values())[1]]
        chosen.append(best)
        is_full = _limits(chosen)
        values = {
            key: value
            for key, value in values.items()
            if key != best.key and not is_full(by_key[key])
        }
        for key in values:
            similarity = _similarity(topics[key], topics[best.key])
            similarity += (by_key[key].lead_source == best.lead_source) / 2
            if similarity > max_similarity[key]:
                max_similarity[key] = similarity
                values[key] = (gain[key] - (1 - RELEVANCE) * similarity, key)
    return [candidate.key for candidate in sorted(chosen, key=_order)]


def exploration_item(
    candidates: Sequence[Candidate], shown: Iterable[int], who: int, day: object
) -> tuple[int | None, float]:
    """Draw a story to explore. Return its key (None if there is none) and its probability.

    It is drawn from the better half of the candidates that are not `shown`, and has a source and
    a first topic that are not shown. A reader (`who`) gets the same one all day.
    """
    keys = set(shown)
    seen = [candidate for candidate in candidates if candidate.key in keys]
    sources = {candidate.lead_source for candidate in seen}
    topics = {_first_topic(candidate) for candidate in seen} - {""}
    ranked = sorted((c for c in candidates if c.key not in keys), key=_order)
    others = [
        candidate
        for candidate in ranked[: (len(ranked) + 1) // 2]
        if candidate.lead_source not in sources and _first_topic(candidate) not in topics
    ]
    if not others:
        return None, 1.0
    drawn = min(others, key=lambda c: crc32(f"{who} {day} {c.key}".encode()))
    return drawn.key, 1 / len(others)


def _order(candidate: Candidate) -> tuple[float, int]:
    return -candidate.score, -candidate.key


def _limits(chosen: Sequence[Candidate]) -> Callable[[Candidate], bool]:
    """Return a function: whether the limit of a candidate's source or first topic is reached."""
    sources = Counter(candidate.lead_source for candidate in chosen)
    topics = Counter(first for candidate in chosen if (first := _first_topic(candidate)))
    return lambda candidate: (
        sources[candidate.lead_source] >= MAX_PER_SOURCE
        or topics[_first_topic(candidate)] >= MAX_PER_TOPIC
    )


def _similarity(mine: frozenset[str], theirs: frozenset[str]) -> float:
    """Half of the similarity in 0..1 of two stories: that of their topics (Jaccard). The other half
    is that of their lead sources."""
    common = len(mine & theirs) if mine and theirs else 0
    return common / (len(mine) + len(theirs) - common) / 2 if common else 0.0


def _first_topic(candidate: Candidate) -> str:
    return next(iter(candidate.topics), "")
