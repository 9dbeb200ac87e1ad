"""What ranking knows of a reader. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

PRIOR = 20
"""Number of acts at which what was learned from them counts half."""
PRIOR_SHOWN = 10
"""Number of impressions at which a source's own open rate counts half, the reader's mean the
other half."""
LEVELS = {"more": 1.0, "normal": 0.5, "less": 0.0}


@dataclass(frozen=True)
class Reader:
    """`interests` maps topics to mute, less, normal or more; `levels` maps sources likewise.

    `shown` and `opened` count impressions and openings by source. `learned` is the number of
    acts that the counts come from.
    """

    interests: Mapping[str, str] = field(default_factory=dict)
    levels: Mapping[int, str] = field(default_factory=dict)
    followed: frozenset[int] = frozenset()
    shown: Mapping[int, float] = field(default_factory=dict)
    opened: Mapping[int, float] = field(default_factory=dict)
    learned: int = 0

    def mutes(self, topics: Iterable[str]) -> bool:
        return any(self.interests.get(topic) == "mute" for topic in topics)

    def preference(self, topics: Iterable[str]) -> float:
        """Return the mean of the levels set for `topics`, in 0..1; 0.5 if none is set."""
        if not self.interests:
            return 0.5
        levels = {LEVELS.get(self.interests.get(topic, ""), 0.5) for topic in topics} - {0.5}
        return sum(levels) / len(levels) if levels else 0.5

    def level(self, source: int) -> float:
        return LEVELS[self.levels.get(source, "normal")]

    def confidence(self) -> float:
        """Return how much the acts count, from 0 for none towards 1."""
        return self.learned / (self.learned + PRIOR)

    def open_rate(self, source: int) -> float:
        """Return the smoothed open rate of a source relative to the reader's mean, in 0..1.

        0.5 stands for the mean, and for a reader who has opened nothing.
        """
        mean = self._mean
        if not mean:
            return 0.5
        shown = max(self.shown.get(source, 0.0), self.opened.get(source, 0.0))
        rate = (self.opened.get(source, 0.0) + PRIOR_SHOWN * mean) / (shown + PRIOR_SHOWN)
        return rate / (rate + mean)

    @cached_property
    def _mean(self) -> float:
        return sum(self.opened.values()) / max(sum(self.shown.values()), 1.0)
