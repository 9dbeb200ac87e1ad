"""Make trends of terms: those that tell of the same stories are one. Pure.

A term counts as explained when, without the stories of a stronger one, it is told of no more
than usual: "OpenAI" while it brings out a GPT, "context" of "model context protocol".
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from feeds.trends.burst import FEWEST, LIKELY, Expected, tail
from feeds.trends.terms import TOPIC

_PART = re.compile("[ -]")
_SAME = 0.6
"""The part of the stories that two names of one thing share."""
_MOST = 0.75
"""The part of a term's stories that a phrase has which it is called by."""


@dataclass(frozen=True, slots=True)
class Rise:
    """A term beyond the line: its `stories` in the window of `expected`, its probability."""

    key: str
    stories: frozenset[int]
    expected: Expected
    p: float
    is_burst: bool = False


@dataclass(slots=True)
class Cluster:
    """A trend: the term that leads, and those that it explains."""

    lead: Rise
    explained: list[Rise] = field(default_factory=list)

    @property
    def named(self) -> Rise:
        """Whose name it goes by: the longest phrase around the lead that most of its stories
        have, else the lead."""
        phrases = [one for one in self.explained if _is_within(self.lead.key, one.key)]
        apt = [one for one in phrases if _share(self.lead, one) >= _MOST]
        return max([self.lead, *apt], key=lambda one: (_words(one.key), -one.p))

    @property
    def aliases(self) -> list[str]:
        """Keys of other names of the same: neither parts of its name nor wider than it."""
        name = self.named.key
        return [
            one.key
            for one in [self.lead, *self.explained]
            if min(_share(self.lead, one), _share(one, self.lead)) >= _SAME
            and not _overlaps(one.key, name)
            and not one.key.startswith(TOPIC)
        ]

    @property
    def is_burst(self) -> bool:
        return any(one.is_burst for one in [self.lead, *self.explained])


def collapse(rises: Iterable[Rise]) -> list[Cluster]:
    """The trends, the least likely first. Curated topics come last, as a name says more."""
    clusters: list[Cluster] = []
    for rise in sorted(rises, key=_order):
        if cause := _cause(rise, clusters):
            cause.explained.append(rise)
        else:
            clusters.append(Cluster(rise))
    return clusters


def _order(rise: Rise) -> tuple[bool, float, int, int, str]:
    words = _words(rise.key)
    return rise.key.startswith(TOPIC), rise.p, -len(rise.stories), -words, rise.key


def _cause(rise: Rise, clusters: Sequence[Cluster]) -> Cluster | None:
    """The trend that shares the most of its stories, where those of all stronger trends
    explain that there are so many."""
    told = frozenset[int]().union(*(one.lead.stories for one in clusters))
    left = len(rise.stories - told)
    if left >= FEWEST and tail(left, rise.expected) <= LIKELY:
        return None
    best = max(clusters, key=lambda one: len(one.lead.stories & rise.stories), default=None)
    return best if best and best.lead.stories & rise.stories else None


def _share(whole: Rise, part: Rise) -> float:
    return len(whole.stories & part.stories) / len(whole.stories)


def _is_within(part: str, phrase: str) -> bool:
    """Whole words: "gpt" is within "gpt-6", as "protocol" is within "context protocol"."""
    inner, outer = (f" {' '.join(_PART.split(one))} " for one in (part, phrase))
    return inner in outer and part != phrase


def _words(key: str) -> int:
    return len(_PART.split(key))


def _overlaps(one: str, other: str) -> bool:
    """Whether they have a word in common: a fragment is no other name."""
    return bool(set(_PART.split(one)) & set(_PART.split(other)))
