"""Simulated readers: what they want, what they were shown, and what they did. Pure.

A reader is simulated, and nothing here is a record of people. What one wants is a set of labels
(`feeds.evaluation.ranking.labels`); a story is wanted the more it is of them, the more sources
tell it and the newer it is. What a reader does follows what they want by chance only: they miss
most of what they would like, open now and then what they do not, and say of their interests what
the product's list of topics allows, and not always that.
"""

import random
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import log2

from feeds.core.topics import TOPICS
from feeds.evaluation.ranking.labels import LABELS, TOPICS_OF
from feeds.evaluation.ranking.world import Article

DAY = 86_400.0
RECORDED_DAYS, NEWSROOM_DAYS = (90, 14), (18, 5)
"""Days to learn from, and days held out, as long as a world has them."""
CANDIDATE_DAYS = 7
SHOWN_A_DAY = 12
OLD = 3 * DAY
"""In which a story is half as wanted."""
HOT = 8
"""Sources at which a story is as interesting as any to all."""
STRONG, MILD, COMMON = 0.8, 0.4, 0.2
"""What a story of one's strong, one's mild interests, and what all tell, adds to being wanted."""
CLICKS, STRAY = 0.6, 0.02
"""The chance to open what is wanted most, and what is not at all."""
SAVES, HIDES = 0.25, 0.3
"""The chance to save what was opened, and to hide what is of the label that one dislikes."""
DECLARES, ODD = 0.6, 0.3
"""The chance to declare a topic of one's interests, and one topic of none."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """Who reads. `declared` is what the product is told: {topic: "more"}."""

    strong: frozenset[str]
    mild: frozenset[str]
    disliked: str
    declared: dict[str, str]

    def wants(self, offer: Sequence[Article], now: float) -> float:
        """How much, in 0..1, of a story that is told so by then."""
        labels = frozenset().union(*(one.labels for one in offer))
        match = STRONG if labels & self.strong else MILD if labels & self.mild else 0.0
        if self.disliked in labels:
            match /= 2
        hot = min(1.0, log2(len({one.source for one in offer})) / log2(HOT))
        age = now - max(one.time for one in offer)
        return (match + COMMON * hot) * 2 ** (-age / OLD)


@dataclass(slots=True)
class History:
    """What was shown, and what was done with it, each with its moment."""

    shown: list[tuple[Article, float]] = field(default_factory=list)
    opened: list[tuple[Article, float]] = field(default_factory=list)
    saved: list[tuple[Article, float]] = field(default_factory=list)
    hidden: list[tuple[Article, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Trial:
    """A held-out morning: the stories that a ranker orders, and how much each is wanted."""

    now: float
    declared: dict[str, str]
    history: History
    offers: list[list[Article]]
    wanted: list[float]


class World:
    """The tellings in order of time, and what a reader could see of them at a moment."""

    def __init__(self, told: Sequence[Article]) -> None:
        self.told = sorted(told, key=lambda one: one.time)
        self._times = [one.time for one in self.told]

    @property
    def days(self) -> tuple[float, float]:
        return self._times[0], self._times[-1]

    def offers(self, now: float, done: set[int]) -> list[list[Article]]:
        """The stories of the last days without those of `done`, the last told first."""
        low = bisect_left(self._times, now - CANDIDATE_DAYS * DAY)
        stories: defaultdict[int, list[Article]] = defaultdict(list)
        for one in reversed(self.told[low : bisect_left(self._times, now)]):
            stories[one.story].append(one)
        return [offer for story, offer in stories.items() if story not in done]


def make_reader(chance: random.Random) -> Simulated:
    labels = chance.sample(LABELS, 5)
    strong, mild = labels[: chance.randint(1, 2)], labels[2:4]
    declared = {
        topic: "more"
        for name in [*strong, *mild]
        for topic in TOPICS_OF[name]
        if chance.random() < DECLARES
    }
    if chance.random() < ODD:
        declared[chance.choice(TOPICS).slug] = "more"
    return Simulated(frozenset(strong), frozenset(mild), labels[4], declared)


def trials(
    world: World, *, readers: int, seed: int, training: int, held_out: int
) -> Iterator[list[Trial]]:
    """The held-out mornings of each reader, whose `training` days lie before them, somewhere
    in the world's time. Nothing of the held-out days is in the history."""
    first, last = world.days
    for number in range(readers):
        chance = random.Random(seed * 1_000_003 + number)  # noqa: S311 - to be the same again
        reader = make_reader(chance)
        span = (training + held_out) * DAY
        start = chance.uniform(first + CANDIDATE_DAYS * DAY, max(first + DAY, last - span))
        history, done = History(), set[int]()
        for day in range(training):
            _read_a_morning(world, reader, start + day * DAY, history, done, chance)
        mornings = [start + (training + day) * DAY for day in range(held_out)]
        yield [_trial(world, reader, now, history, done) for now in mornings]


def _read_a_morning(
    world: World,
    reader: Simulated,
    now: float,
    history: History,
    done: set[int],
    chance: random.Random,
) -> None:
    """Half of what is shown is the newest, half is drawn, so that nothing goes unseen for ever."""
    offers = world.offers(now, done)
    newest, rest = offers[: SHOWN_A_DAY // 2], offers[SHOWN_A_DAY // 2 :]
    for offer in [*newest, *chance.sample(rest, min(len(rest), SHOWN_A_DAY // 2))]:
        lead = offer[-1]
        history.shown.append((lead, now))
        if chance.random() < STRAY + CLICKS * reader.wants(offer, now):
            history.opened.append((lead, now))
            done.add(lead.story)
            if chance.random() < SAVES:
                history.saved.append((lead, now))
        elif reader.disliked in lead.labels and chance.random() < HIDES:
            history.hidden.append((lead, now))
            done.add(lead.story)


def _trial(world: World, reader: Simulated, now: float, history: History, done: set[int]) -> Trial:
    offers = world.offers(now, done)
    wanted = [reader.wants(offer, now) for offer in offers]
    return Trial(now, reader.declared, history, offers, wanted)
