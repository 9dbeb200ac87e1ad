"""Merge terms that rose with the same stories into one trend. Pure.

A term is explained by a stronger one if, without the stories of the stronger one, it has no more
stories than usual: "OpenAI" when it releases a GPT, or "context" in "model context protocol".
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from feeds.trends.burst import MAX_P, MIN_STORIES, Expected, tail
from feeds.trends.terms import TOPIC

_PART = re.compile("[ -]")
_MIN_COMMON = 0.6
"""Least share of common stories of two names of one thing."""
_MIN_IN_NAME = 0.75
"""Least share of a term's stories that contain a phrase for the phrase to become its name."""


@dataclass(frozen=True, slots=True)
class Rise:
    """A term that rose significantly.

    `stories` are those of the last week, `expected` is the prediction for it, and `p` the p-value.
    `is_burst` is whether the last two days alone are significant.
    """

    key: str
    stories: frozenset[int]
    expected: Expected
    p: float
    is_burst: bool = False


@dataclass(slots=True)
class Cluster:
    """A trend: its strongest term, and the terms that this explains."""

    lead: Rise
    explained: list[Rise] = field(default_factory=list)

    @property
    def named(self) -> Rise:
        """The term that names the trend: the longest phrase that contains the lead and that most
        of its stories have, or else the lead."""
        phrases = [rise for rise in self.explained if _is_within(self.lead.key, rise.key)]
        frequent = [rise for rise in phrases if _share(self.lead, rise) >= _MIN_IN_NAME]
        return max([self.lead, *frequent], key=lambda rise: (_words(rise.key), -rise.p))

    @property
    def aliases(self) -> list[str]:
        """Keys of other names of the trend: terms of the same stories, without parts of its name
        and topics."""
        name = self.named.key
        return [
            rise.key
            for rise in [self.lead, *self.explained]
            if min(_share(self.lead, rise), _share(rise, self.lead)) >= _MIN_COMMON
            and not _overlaps(rise.key, name)
            and not rise.key.startswith(TOPIC)
        ]

    @property
    def is_burst(self) -> bool:
        return any(rise.is_burst for rise in [self.lead, *self.explained])


def collapse(rises: Iterable[Rise]) -> list[Cluster]:
    """Merge terms into trends, lowest p-value first. Curated topics come last, because names are
    more specific."""
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
    """The trend with the most common stories, if the stronger trends explain the rise; None if
    the term is a trend of its own."""
    explained = frozenset[int]().union(*(cluster.lead.stories for cluster in clusters))
    unexplained = len(rise.stories - explained)
    if unexplained >= MIN_STORIES and tail(unexplained, rise.expected) <= MAX_P:
        return None
    best = max(clusters, key=lambda c: len(c.lead.stories & rise.stories), default=None)
    return best if best and best.lead.stories & rise.stories else None


def _share(whole: Rise, part: Rise) -> float:
    return len(whole.stories & part.stories) / len(whole.stories)


def _is_within(part: str, phrase: str) -> bool:
    """Whether the phrase contains the words of the part, as "gpt-6" contains "gpt"."""
    inner, outer = (f" {' '.join(_PART.split(key))} " for key in (part, phrase))
    return inner in outer and part != phrase


def _words(key: str) -> int:
    return len(_PART.split(key))


def _overlaps(key: str, other: str) -> bool:
    """Whether two keys have a word in common."""
    return bool(set(_PART.split(key)) & set(_PART.split(other)))
