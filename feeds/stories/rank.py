"""Rank stories for one reader by a sum of named terms, each of which can be said. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import log2
from operator import mul

from feeds.topics import LABELS

WEIGHTS = {"heat": 0.3, "freshness": 0.25, "interest": 0.25, "likeness": 0.1, "source": 0.1}
"""What each term, itself in 0..1, adds to the score at most. They sum to 1, and `rank` has them
in this order."""
HOTTEST = 15
"""Independent sources at which a story is as hot as any."""
COOLS = 48.0
AGES = 18.0
"""Hours in which heat and freshness fall to a half."""
NEW = 3.0
PRIOR = 10
"""Saved and hidden items count little until there are about so many."""
RELEVANCE = 0.85
"""Lambda of maximal marginal relevance (Carbonell and Goldstein, 1998); high, as scores lie
near each other while likenesses fill 0..1."""
MOST_COMPARED = 100
MOST_LED_BY_A_SOURCE = 2
MOST_OF_A_TOPIC = 3
_INTEREST = {"more": 1.0, "normal": 0.5, "less": 0.0}


@dataclass(frozen=True, slots=True)
class Facts:
    """What ranking knows of a story: of what this reader may see of it, and no more.

    `age` is in hours since the newest telling that is no copy; `weight` is the trust in its
    best source, 1 is neutral.
    """

    sources: int
    age: float
    topics: tuple[str, ...] = ()
    weight: float = 1.0
    lead_source: int = 0


@dataclass(frozen=True, slots=True)
class Reader:
    """`interests` gives words by topic: mute, less, normal, more. `taste` gives a number in
    -1..1 by topic, from what the reader saved and hid."""

    interests: Mapping[str, str] = field(default_factory=dict)
    taste: Mapping[str, float] = field(default_factory=dict)

    def mutes(self, topics: Iterable[str]) -> bool:
        return any(self.interests.get(topic) == "mute" for topic in topics)


@dataclass(frozen=True, slots=True)
class Ranking:
    """`terms` are in 0..1; the score is their weighted sum."""

    score: float
    terms: Mapping[str, float]


def rank(facts: Facts, reader: Reader) -> Ranking:
    """Thousands of stories are ranked for a page; `explain` those that are shown."""
    terms = {
        "heat": _heat(facts.sources) * 2 ** (-facts.age / COOLS),
        "freshness": 2 ** (-facts.age / AGES),
        "interest": _interest(facts.topics, reader.interests),
        "likeness": _likeness(facts.topics, reader.taste),
        "source": min(1.0, max(0.0, facts.weight / 2)),
    }
    return Ranking(sum(map(mul, WEIGHTS.values(), terms.values())), terms)


@lru_cache(maxsize=1_000)
def _heat(sources: int) -> float:
    return min(1.0, log2(max(sources, 1)) / log2(HOTTEST))


def _interest(topics: Iterable[str], interests: Mapping[str, str]) -> float:
    """A half where nothing was said; "more" and "less" of one story cancel out."""
    if not interests:
        return 0.5
    said = {_INTEREST.get(interests.get(topic, ""), 0.5) for topic in topics} - {0.5}
    return sum(said) / len(said) if said else 0.5


def _likeness(topics: Sequence[str], taste: Mapping[str, float]) -> float:
    known = [taste[topic] for topic in topics if topic in taste]
    return 0.5 + sum(known) / len(known) / 2 if known else 0.5


def learn_taste(
    saved: Sequence[Sequence[str]], hidden: Sequence[Sequence[str]]
) -> dict[str, float]:
    """By topic, in -1..1, from the topics of saved and hidden items; hiding counts half."""
    shrunk = len(saved) + len(hidden)
    liked = Counter(topic for topics in saved for topic in set(topics))
    disliked = Counter(topic for topics in hidden for topic in set(topics))
    return {
        topic: shrunk
        / (shrunk + PRIOR)
        * (liked[topic] / max(len(saved), 1) - disliked[topic] / max(len(hidden), 1) / 2)
        for topic in liked.keys() | disliked.keys()
    }


def explain(facts: Facts, reader: Reader) -> str:
    """Why it stands where it stands: "4 sources · topic you follow: Agents · new"."""
    reasons = [f"{facts.sources} sources"] if facts.sources > 1 else []
    reasons += _said(facts.topics, reader.interests, "more", "topic you follow")
    reasons += _said(facts.topics, reader.interests, "less", "you asked for less")
    if _likeness(facts.topics, reader.taste) > 0.55:
        reasons.append("like what you saved")
    if _likeness(facts.topics, reader.taste) < 0.45:
        reasons.append("like what you hid")
    if facts.weight > 1:
        reasons.append("trusted source")
    if facts.age < NEW:
        reasons.append("new")
    return " · ".join(reasons) or "from a source you follow"


def _said(topics: Iterable[str], interests: Mapping[str, str], word: str, text: str) -> list[str]:
    named = [LABELS.get(topic, topic) for topic in topics if interests.get(topic) == word]
    return [f"{text}: {', '.join(named)}"] if named else []


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
    chosen: list[Candidate] = []
    sources: Counter[int] = Counter()
    topics: Counter[str] = Counter()
    while left and len(chosen) < most:
        best = max(left, key=lambda one: (_marginal(one, chosen), one.key))
        chosen.append(best)
        sources[best.lead_source] += 1
        topics[_first(best)] += 1
        full = {name for name, count in topics.items() if name and count >= MOST_OF_A_TOPIC}
        left = [
            one
            for one in left
            if one is not best
            and sources[one.lead_source] < MOST_LED_BY_A_SOURCE
            and _first(one) not in full
        ]
    return [one.key for one in sorted(chosen, key=_order)]


def _order(one: Candidate) -> tuple[float, int]:
    return -one.score, -one.key


def _marginal(one: Candidate, chosen: Iterable[Candidate]) -> float:
    nearest = max((_alike(one, other) for other in chosen), default=0.0)
    return RELEVANCE * one.score - (1 - RELEVANCE) * nearest


def _alike(one: Candidate, other: Candidate) -> float:
    """Half of it by topics shared (Jaccard), half by the source that leads."""
    mine, theirs = set(one.topics), set(other.topics)
    topics = len(mine & theirs) / len(mine | theirs) if mine and theirs else 0.0
    return topics / 2 + (one.lead_source == other.lead_source) / 2


def _first(one: Candidate) -> str:
    return next(iter(one.topics), "")
