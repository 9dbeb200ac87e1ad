"""The first stories that a reader sees: the best, mixed, and one of another kind. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from zlib import crc32

RELEVANCE = 0.7
"""Lambda of maximal marginal relevance (Carbonell and Goldstein, 1998), over scores that are
stretched to 0..1, as they lie near each other while likenesses fill it."""
MOST_COMPARED = 100
MOST_LED_BY_A_SOURCE = 2
MOST_OF_A_TOPIC = 3
PER_ODD = 10
"""One place in so many is for something different."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something ranked that may be chosen; `key` is the caller's own name for it."""

    key: int
    score: float
    topics: tuple[str, ...]
    lead_source: int


def diversify(candidates: Iterable[Candidate], most: int) -> list[int]:
    """The keys of the best by maximal marginal relevance, in order of their scores.

    At most two are led by one source, and at most three have the same first topic.
    """
    left = sorted(candidates, key=_order)[:MOST_COMPARED]
    if not left:
        return []
    lowest, span = left[-1].score, (left[0].score - left[-1].score) or 1.0
    gain = {one.key: RELEVANCE * (one.score - lowest) / span for one in left}
    nearest = dict.fromkeys(gain, 0.0)
    chosen: list[Candidate] = []
    while left and len(chosen) < most:
        best = max(
            left, key=lambda one: (gain[one.key] - (1 - RELEVANCE) * nearest[one.key], one.key)
        )
        chosen.append(best)
        is_full = _limits(chosen)
        left = [one for one in left if one is not best and not is_full(one)]
        for one in left:
            nearest[one.key] = max(nearest[one.key], _alike(one, best))
    return [one.key for one in sorted(chosen, key=_order)]


def exploration_item(
    candidates: Sequence[Candidate], shown: Iterable[int], who: int, day: object
) -> tuple[int | None, float]:
    """The key of something different, and the chance by which it was drawn: of the better half
    of what is not `shown`, one of a topic and a source that are not. It stays for the day."""
    keys = set(shown)
    seen = [one for one in candidates if one.key in keys]
    sources, topics = {one.lead_source for one in seen}, {_first(one) for one in seen} - {""}
    ranked = sorted((one for one in candidates if one.key not in keys), key=_order)
    others = [
        one
        for one in ranked[: (len(ranked) + 1) // 2]
        if one.lead_source not in sources and _first(one) not in topics
    ]
    if not others:
        return None, 1.0
    drawn = min(others, key=lambda one: crc32(f"{who} {day} {one.key}".encode()))
    return drawn.key, 1 / len(others)


def _order(one: Candidate) -> tuple[float, int]:
    return -one.score, -one.key


def _limits(chosen: Sequence[Candidate]) -> Callable[[Candidate], bool]:
    """Whether one more of this source, or of this first topic, would be too many."""
    sources = Counter(one.lead_source for one in chosen)
    topics = Counter(first for one in chosen if (first := _first(one)))
    return lambda one: (
        sources[one.lead_source] >= MOST_LED_BY_A_SOURCE or topics[_first(one)] >= MOST_OF_A_TOPIC
    )


def _alike(one: Candidate, other: Candidate) -> float:
    """Half of it by topics shared (Jaccard), half by the source that leads."""
    mine, theirs = set(one.topics), set(other.topics)
    topics = len(mine & theirs) / len(mine | theirs) if mine and theirs else 0.0
    return topics / 2 + (one.lead_source == other.lead_source) / 2


def _first(one: Candidate) -> str:
    return next(iter(one.topics), "")
