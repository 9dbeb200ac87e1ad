"""Simulated readers: their preferences, what they were shown, and what they did. Pure.

No data of real people is used. A reader prefers a set of labels (feeds.evaluation.ranking.labels).
Their preference for a story is higher if it has these labels, if more sources cover it, and if it
is newer. Their acts follow from preferences only by chance: they miss most stories that they would
like, open some that they do not, and declare only some of their interests as topics.
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
"""(training days, held-out days) for a recording and for the sample newsroom."""
CANDIDATE_DAYS = 7
SHOWN_A_DAY = 12
HALF_LIFE = 3 * DAY
"""Half-life of the preference for a story, in seconds."""
FULL_COVERAGE = 8
"""Number of sources at which a story has the full bonus for coverage."""
STRONG, MILD, COMMON = 0.8, 0.4, 0.2
"""Parts of the preference: for a strong interest, for a mild one, and for wide coverage."""
CLICKS, STRAY = 0.6, 0.02
"""Probability to open a story with the highest preference (added to STRAY), and with none."""
SAVES, HIDES = 0.25, 0.3
"""Probability to save an opened story, and to hide one with the disliked label."""
DECLARES, UNRELATED = 0.6, 0.3
"""Probability to declare a topic of one's interests, and to declare an unrelated one."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """A simulated reader. `declared` are the interests that the product knows: {topic: "more"}."""

    strong: frozenset[str]
    mild: frozenset[str]
    disliked: str
    declared: dict[str, str]

    def wants(self, offer: Sequence[Article], now: float) -> float:
        """The preference, in 0..1, for a story with these articles at the time `now`."""
        labels = frozenset().union(*(article.labels for article in offer))
        match = STRONG if labels & self.strong else MILD if labels & self.mild else 0.0
        if self.disliked in labels:
            match /= 2
        coverage = min(1.0, log2(len({article.source for article in offer})) / log2(FULL_COVERAGE))
        age = now - max(article.time for article in offer)
        return (match + COMMON * coverage) * 2 ** (-age / HALF_LIFE)


@dataclass(slots=True)
class History:
    """The articles that a reader was shown and acted on, each with the time."""

    shown: list[tuple[Article, float]] = field(default_factory=list)
    opened: list[tuple[Article, float]] = field(default_factory=list)
    saved: list[tuple[Article, float]] = field(default_factory=list)
    hidden: list[tuple[Article, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Trial:
    """A held-out morning: the stories to rank, and the reader's preference for each."""

    now: float
    declared: dict[str, str]
    history: History
    offers: list[list[Article]]
    wanted: list[float]


class World:
    """All articles in order of time."""

    def __init__(self, articles: Sequence[Article]) -> None:
        self.articles = sorted(articles, key=lambda article: article.time)
        self._times = [article.time for article in self.articles]

    @property
    def days(self) -> tuple[float, float]:
        return self._times[0], self._times[-1]

    def offers(self, now: float, done: set[int]) -> list[list[Article]]:
        """The stories of the last days, most recently updated first, without those in `done`."""
        low = bisect_left(self._times, now - CANDIDATE_DAYS * DAY)
        stories: defaultdict[int, list[Article]] = defaultdict(list)
        for article in reversed(self.articles[low : bisect_left(self._times, now)]):
            stories[article.story].append(article)
        return [offer for story, offer in stories.items() if story not in done]


def make_reader(rng: random.Random) -> Simulated:
    labels = rng.sample(LABELS, 5)
    strong, mild = labels[: rng.randint(1, 2)], labels[2:4]
    declared = {
        topic: "more"
        for name in [*strong, *mild]
        for topic in TOPICS_OF[name]
        if rng.random() < DECLARES
    }
    if rng.random() < UNRELATED:
        declared[rng.choice(TOPICS).slug] = "more"
    return Simulated(frozenset(strong), frozenset(mild), labels[4], declared)


def trials(
    world: World, *, readers: int, seed: int, training: int, held_out: int
) -> Iterator[list[Trial]]:
    """Yield the held-out mornings of each reader, after `training` days at a random time.

    The history contains nothing of the held-out days.
    """
    first, last = world.days
    for number in range(readers):
        rng = random.Random(seed * 1_000_003 + number)  # noqa: S311 - reproducible
        reader = make_reader(rng)
        span = (training + held_out) * DAY
        start = rng.uniform(first + CANDIDATE_DAYS * DAY, max(first + DAY, last - span))
        history, done = History(), set[int]()
        for day in range(training):
            _read_a_morning(world, reader, start + day * DAY, history, done, rng)
        mornings = [start + (training + day) * DAY for day in range(held_out)]
        yield [_trial(world, reader, now, history, done) for now in mornings]


def _read_a_morning(
    world: World,
    reader: Simulated,
    now: float,
    history: History,
    done: set[int],
    rng: random.Random,
) -> None:
    """Simulate one morning: show stories, half of them the newest and half random, and act."""
    offers = world.offers(now, done)
    newest, rest = offers[: SHOWN_A_DAY // 2], offers[SHOWN_A_DAY // 2 :]
    for offer in [*newest, *rng.sample(rest, min(len(rest), SHOWN_A_DAY // 2))]:
        lead = offer[-1]
        history.shown.append((lead, now))
        if rng.random() < STRAY + CLICKS * reader.wants(offer, now):
            history.opened.append((lead, now))
            done.add(lead.story)
            if rng.random() < SAVES:
                history.saved.append((lead, now))
        elif reader.disliked in lead.labels and rng.random() < HIDES:
            history.hidden.append((lead, now))
            done.add(lead.story)


def _trial(world: World, reader: Simulated, now: float, history: History, done: set[int]) -> Trial:
    offers = world.offers(now, done)
    wanted = [reader.wants(offer, now) for offer in offers]
    return Trial(now, reader.declared, history, offers, wanted)
