"""Rank stories for one reader by a sum of named terms, each of which can be said. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import log2
from typing import TYPE_CHECKING

from feeds.topics import LABELS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

WEIGHTS = {"heat": 0.28, "interest": 0.14, "likeness": 0.29, "source": 0.29}
"""What each term, itself in 0..1, adds at most; they sum to 1. The sum is times `freshness`."""
HOTTEST = 15
"""Independent sources at which a story is as hot as any."""
AGES = 250.0
"""Hours in which freshness falls to a half."""
NEW = 3.0
PRIOR = 20
"""What was learned counts little until it comes from about so many openings."""
PRIOR_SHOWN = 10
"""A source's rate of openings is the reader's mean until it was shown about so often."""
STEEP, NEAR = 6.0, 1.0
"""By how much the odds, and the nearest examples, move the term of likeness."""
DISLIKED = 0.5
TRUST, BOOST = 0.25, 0.25
"""What the curator's trust, from 1 to 2, and the reader's own word on a source are worth."""
_INTEREST = {"more": 1.0, "normal": 0.5, "less": 0.0}


@dataclass(frozen=True, slots=True)
class Facts:
    """What ranking knows of a story: of what this reader may see of it, and no more.

    `age` is in hours since the newest telling that is no copy; `weight` is the trust in its
    best source, 1 is neutral; `hot` the entropy of who tells it in bits.
    """

    sources: int
    age: float
    topics: tuple[str, ...] = ()
    weight: float = 1.0
    lead_source: int = 0
    story: int = 0
    hot: float | None = None


@dataclass(frozen=True)
class Reader:
    """`interests` gives words by topic: mute, less, normal, more; `levels` the same by source.

    `shown` and `opened` are how often stories of a source were; `learned` is how many acts that
    comes from.
    """

    interests: Mapping[str, str] = field(default_factory=dict)
    levels: Mapping[int, str] = field(default_factory=dict)
    followed: frozenset[int] = frozenset()
    shown: Mapping[int, float] = field(default_factory=dict)
    opened: Mapping[int, float] = field(default_factory=dict)
    learned: int = 0

    def mutes(self, topics: Iterable[str]) -> bool:
        return any(self.interests.get(topic) == "mute" for topic in topics)

    def said_of(self, topics: Iterable[str]) -> float:
        """A half where nothing was said; "more" and "less" of one story cancel out."""
        if not self.interests:
            return 0.5
        said = {_INTEREST.get(self.interests.get(topic, ""), 0.5) for topic in topics} - {0.5}
        return sum(said) / len(said) if said else 0.5

    def surety(self) -> float:
        return self.learned / (self.learned + PRIOR)

    def source_term(self, source: int, trust: float) -> float:
        """How often its stories are opened against the reader's mean, smoothed; a half where
        nothing is known. Trust and the reader's own word move it."""
        term = 0.5 + self.surety() * (self._rate(source) - 0.5)
        term += TRUST * (trust - 1) + BOOST * (2 * _INTEREST[self.levels.get(source, "normal")] - 1)
        return min(1.0, max(0.0, term))

    @cached_property
    def _mean(self) -> float:
        return sum(self.opened.values()) / max(sum(self.shown.values()), 1.0)

    def _rate(self, source: int) -> float:
        mean = self._mean
        if not mean:
            return 0.5
        shown = max(self.shown.get(source, 0.0), self.opened.get(source, 0.0))
        rate = (self.opened.get(source, 0.0) + PRIOR_SHOWN * mean) / (shown + PRIOR_SHOWN)
        return rate / (rate + mean)


@dataclass(frozen=True, slots=True)
class Ranking:
    """`terms` are in 0..1; the score is the weighted sum of all but freshness, times that."""

    score: float
    terms: Mapping[str, float]


def score(terms: "Mapping[str, Floats]") -> "Floats":
    """[stories]: the scores of terms that are given in arrays, `freshness` among them."""
    total = sum(weight * terms[name] for name, weight in WEIGHTS.items())
    found: Floats = total * terms["freshness"]
    return found


def heat(hot: "Floats") -> "Floats":
    """Of the entropy of a story's outlets, in bits: log2 of their number where each tells it
    once, less where one tells it again and again, nothing where there is but one."""
    import numpy as np

    found: Floats = np.minimum(1.0, hot / log2(HOTTEST))
    return found


def freshness(ages: "Floats") -> "Floats":
    fresh: Floats = 2.0 ** (-ages / AGES)
    return fresh


def likeness(odds: "Floats", liked: "Floats", disliked: "Floats", surety: float) -> "Floats":
    """Of the odds to be opened, and of the likeness to what the reader opened and saved, and to
    what they hid: a half where nothing is known. See `alike.odds` and `alike.nearest`."""
    import numpy as np

    likely = 1 / (1 + np.exp(-STEEP * odds)) - 0.5
    near = NEAR * (liked - DISLIKED * disliked)
    found: Floats = np.clip(0.5 + surety * (likely + near), 0.0, 1.0)
    return found


def rank(facts: Sequence[Facts], reader: Reader, likes: "Floats | None" = None) -> list[Ranking]:
    """The same for a list of few; `likes` is their term of likeness."""
    import numpy as np

    hot = [log2(max(one.sources, 1)) if one.hot is None else one.hot for one in facts]
    followed = [one.story in reader.followed for one in facts]
    terms = {
        "heat": heat(np.array(hot)),
        "freshness": freshness(np.array([one.age for one in facts])),
        "interest": np.maximum([reader.said_of(one.topics) for one in facts], followed),
        "likeness": np.full(len(facts), 0.5) if likes is None else likes,
        "source": np.array([reader.source_term(one.lead_source, one.weight) for one in facts]),
    }
    return rankings(score(terms), terms)


def rankings(scores: "Floats", terms: "Mapping[str, Floats]") -> list[Ranking]:
    columns = zip(*(values.tolist() for values in terms.values()), strict=True)
    return [
        Ranking(value, dict(zip(terms, row, strict=True)))
        for value, row in zip(scores.tolist(), columns, strict=True)
    ]


def explain(facts: Facts, reader: Reader, terms: Mapping[str, float]) -> str:
    """Why it stands where it stands: "4 sources · topic you follow: Agents · new"."""
    reasons = ["you follow this story"] if facts.story in reader.followed else []
    reasons += [f"{facts.sources} sources"] if facts.sources > 1 else []
    reasons += _said(facts.topics, reader.interests, "more", "topic you follow")
    reasons += _said(facts.topics, reader.interests, "less", "you asked for less")
    reasons += _likeness_in_words(terms["likeness"])
    reasons += _source_in_words(facts, reader)
    if facts.age < NEW:
        reasons.append("new")
    return " · ".join(reasons) or "from a source you follow"


def _likeness_in_words(term: float) -> list[str]:
    if term > 0.62:
        return ["like what you opened or saved"]
    return ["like what you hid"] if term < 0.4 else []


def _source_in_words(facts: Facts, reader: Reader) -> list[str]:
    level = reader.levels.get(facts.lead_source, "normal")
    if level != "normal":
        return ["a source you want more of" if level == "more" else "a source you want less of"]
    usual = reader.source_term(facts.lead_source, 1.0)
    if usual > 0.58:
        return ["a source you often open"]
    if usual < 0.42:
        return ["a source you seldom open"]
    return ["trusted source"] if facts.weight > 1 else []


def _said(topics: Iterable[str], interests: Mapping[str, str], word: str, text: str) -> list[str]:
    named = [LABELS.get(topic, topic) for topic in topics if interests.get(topic) == word]
    return [f"{text}: {', '.join(named)}"] if named else []
