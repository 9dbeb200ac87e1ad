"""Generates the endless stream of the sample newsroom: an event for each slot of time, and its reports.

An event follows from the seed and the number of its slot alone. So the stream is the same after a
restart, and as varied after a month as at the start.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from random import Random
from threading import Lock
from typing import NamedTuple

from feeds.demo.cast import Cast, Company, deal, person, read_cast, turn_of
from feeds.demo.edition import Article, Version, slugify
from feeds.demo.grammar import Facts, dice, sentences, slots
from feeds.demo.outlets import OUTLETS, Outlet
from feeds.demo.plots import Field, Plot, Report, Saga, read_book

SLOT = timedelta(minutes=20)
"""The time between events."""
A_DAY = timedelta(days=1) // SLOT
CACHED_DAYS = 20
SAGA_SLOTS = (0, 1, 2, 3, 5, 7, 10, 13, 17, 22, 28, 35, 43, 52, 63, 78)
"""The slots of the parts of a saga, relative to its first."""
SAGA_BEGINS = 24
"""A saga starts in one of so many first slots of a day."""
COVERAGE = ((1, 6), (2, 10), (3, 18), (4, 22), (5, 18), (6, 15), (7, 11))
"""(Number of outlets that report an event, its share of events in percent)."""
DELAYS = {
    "own": (0, 10),
    "wire": (3, 20),
    "tech": (10, 100),
    "daily": (15, 150),
    "business": (20, 180),
    "forum": (15, 240),
    "de": (120, 700),
    "essay": (180, 900),
}
"""Range of minutes between an event and a report, by style."""
DETAILS = {"wire": (1, 2), "daily": (0, 1), "business": (1, 1), "tech": (1, 1), "essay": (0, 1)}
BACKGROUND = {"wire": (1, 1), "daily": (2, 1), "business": (1, 1), "tech": (1, 0), "essay": (2, 0)}
COMPANY_FACTS = {"co", "town", "boss", "family", "rival", "rival_product"}
COPIES, MISTAKES = 0.8, 0.3
"""Probability that an outlet that takes the wire copies its report, and that the wire reports a
doubtful fact wrongly at first."""


class _Event(NamedTuple):
    number: int
    moment: datetime
    plot: Plot
    facts: Facts
    company: Company
    field: Field
    details: list[str]
    turn: int
    """Number of earlier events of the same plot."""

    @property
    def story(self) -> str:
        return f"event:{self.number}"

    @property
    def is_part(self) -> bool:
        """True for a part of a saga."""
        return "." in self.plot.key

    def rng(self, purpose: str) -> Random:
        return dice(f"{self.facts.key}/{self.number}/{purpose}")


class Stream:
    """The articles about the events of any day."""

    def __init__(self, seed: int = 1) -> None:
        self._seed = seed
        self._cast = Cast(seed)
        self._book = read_book()
        self._cached = lru_cache(CACHED_DAYS)(self._of_day)
        self._lock = Lock()

    def of_day(self, day: int) -> dict[str, tuple[Article, ...]]:
        """Return {slug of an outlet: its articles about the events of the day, by time}.

        `day` is the number of days since 1970.
        """
        with self._lock:  # concurrent threads wait and then use the cache
            return self._cached(day)

    def _of_day(self, day: int) -> dict[str, tuple[Article, ...]]:
        slots = range(day * A_DAY, (day + 1) * A_DAY)
        articles = [article for number in slots for article in self.of_slot(number)]
        by_outlet: dict[str, list[Article]] = {}
        for article in sorted(articles, key=lambda article: article.published):
            by_outlet.setdefault(article.outlet, []).append(article)
        return {outlet: tuple(reports) for outlet, reports in by_outlet.items()}

    def of_slot(self, number: int) -> list[Article]:
        """Return all articles about the event of a slot. Slots are counted from 1970."""
        event = self._event(number)
        articles = list(_reports(event))
        return articles + list(_follow_ups(event, articles))

    def _event(self, number: int) -> _Event:
        moment = datetime.fromtimestamp(number * SLOT.total_seconds(), UTC)
        moment += dice(f"{self._seed}/{number}/moment").random() * SLOT
        field = deal(f"{self._seed}/fields", self._book.fields, number)
        if part := self._saga_part(number):
            return self._part(number, moment, field, *part)
        plot = deal(f"{self._seed}/plots", self._book.deck, number)
        turn = turn_of(f"{self._seed}/plots", self._book.deck, number)
        company = self._cast.company(plot.kinds[turn % len(plot.kinds)], plot.key, turn)
        facts = self._facts(f"{self._seed}/{number}", company, plot.facts | field.facts)
        return _Event(number, moment, plot, facts, company, field, plot.details, turn)

    def _part(
        self, number: int, moment: datetime, field: Field, day: int, saga: Saga, place: int
    ) -> _Event:
        """Return a part of a saga. All parts share the company and the facts of the saga."""
        plot, company = saga.parts[place], self._cast.newcomer(saga.kind, day)
        common = self._facts(f"{self._seed}/saga/{day}", company, saga.facts)
        given = {name: common[name] for name in (*common, *saga.facts)}
        facts = self._facts(f"{self._seed}/{number}", company, plot.facts | field.facts)
        other = self._cast.company(saga.kind, plot.key, day)
        given |= {"co2": other.name, "family2": other.family}
        details = [*plot.details, saga.details[place % len(saga.details)]]
        return _Event(number, moment, plot, facts.but(**given), company, field, details, day)

    def _saga_part(self, number: int) -> tuple[int, Saga, int] | None:
        """Return (day on which the saga starts, saga, index of its part in this slot) or None."""
        for day in (number // A_DAY, number // A_DAY - 1):
            begin = day * A_DAY + dice(f"{self._seed}/{day}/saga").randrange(SAGA_BEGINS)
            saga = deal(f"{self._seed}/sagas", self._book.sagas, day)
            if number - begin in SAGA_SLOTS[: len(saga.parts)]:
                return day, saga, SAGA_SLOTS.index(number - begin)
        return None

    def _facts(self, key: str, company: Company, definitions: dict[str, str]) -> Facts:
        rng = dice(f"{key}/version")
        rival = self._cast.rival(company, rng)
        given = rival.facts("rival", _version(rng)) | company.facts("co", _version(rng))
        towns = " | ".join(read_cast()["town"])
        definitions = self._book.common | definitions | {"place": towns, "place2": towns}
        return Facts(key, given, definitions, person)


@cache
def stream_of(seed: int) -> Stream:
    """Return the stream of a seed, which caches days that were computed already."""
    return Stream(seed)


def _version(rng: Random) -> str:
    number = rng.randrange(2, 8)
    return f"{number}.{rng.choice((1, 5))}" if rng.random() < 0.3 else str(number)


def _reports(event: _Event) -> Iterator[Article]:
    rng = event.rng("coverage")
    taken: Counter[str] = Counter()
    wire: Article | None = None
    for outlet in _covering(event, rng):
        if outlet.takes_wire and wire and rng.random() < COPIES:
            yield _copy(wire, outlet, rng)
            continue
        report = event.plot.reports.get(outlet.style)
        if report is None or taken[outlet.style] >= len(report.headlines):
            continue
        turn = _Turn(taken[outlet.style], taken.total())
        article = _write(event, outlet, report, turn)
        taken[outlet.style] += 1
        wire = article if outlet.style == "wire" else wire
        yield article


def _covering(event: _Event, rng: Random) -> list[Outlet]:
    """Return the outlets that report an event. The wire precedes those that may copy it."""
    sizes, weights = zip(*COVERAGE, strict=True)
    size = rng.choices(sizes, weights)[0]
    able = [outlet for outlet in OUTLETS if _may_cover(outlet, event)]
    order = sorted(able, key=lambda outlet: -(rng.random() ** (1 / outlet.weight)))
    return sorted(order[:size], key=lambda outlet: outlet.style != "wire")


def _may_cover(outlet: Outlet, event: _Event) -> bool:
    if outlet.style == "own":
        return outlet.slug == event.company.outlet and "own" in event.plot.reports
    has_beat = not outlet.beats or event.plot.beat in outlet.beats
    return has_beat and (outlet.style in event.plot.reports or outlet.takes_wire)


class _Turn(NamedTuple):
    """Numbers of earlier reports of an event: of the same style and of all styles."""

    of_style: int = 0
    of_all: int = 0


def _write(event: _Event, outlet: Outlet, report: Report, turn: _Turn) -> Article:
    """Return an outlet's own report."""
    rng = event.rng(outlet.slug)
    low, high = DELAYS[outlet.style]
    since = event.moment + timedelta(hours=report.hours, minutes=rng.uniform(low, high))
    pattern = _Pattern(event, report, turn)
    versions = [pattern.version(since, event.facts)]
    doubtful = event.plot.doubtful
    if outlet.style == "wire" and doubtful and not report.hours and rng.random() < MISTAKES:
        wrong = event.facts.other(doubtful)
        later = pattern.version(since + timedelta(hours=rng.uniform(1, 4)), event.facts)
        first = pattern.version(since, event.facts.but(**{doubtful: wrong}))
        versions = [first, _corrected(later, wrong)]
    slug = f"{event.number}/{slugify(versions[0].title)}"
    return Article(outlet.slug, slug, event.story, tuple(versions))


class _Pattern(NamedTuple):
    """A report without facts. Equal facts give an equal text."""

    event: _Event
    report: Report
    turn: _Turn

    def version(self, since: datetime, facts: Facts) -> Version:
        style, hours = self.report.style, self.report.hours
        title = self._pick(self.report.headlines)
        lead = self._pick(self.report.leads) or self._plain_lead()
        rng = self.event.rng(f"{style}{hours}/{self.turn.of_style}")
        dated = facts.but(day=f"{since:%A}")
        texts = [
            text
            for text in (lead, *self._details(title + lead, rng), *self._background(rng))
            if text
        ]
        paragraphs = tuple(sentences(text, dated, rng) for text in texts)
        return Version(since.replace(microsecond=0), sentences(title, dated, rng), paragraphs)

    def _pick(self, choices: list[str]) -> str:
        """Return a choice that earlier reports and recent events did not use, or "" if none is left."""
        if self.turn.of_style >= len(choices):
            return ""
        step = 2 if len(choices) > 3 else 1
        return choices[(self.event.turn * step + self.turn.of_style) % len(choices)]

    def _plain_lead(self) -> str:
        """Return the lead of the wire without the place."""
        wire = self.event.plot.reports.get("wire")
        return wire.leads[0].rpartition("} - ")[2] if wire and self.report.style != "wire" else ""

    def _background(self, rng: Random) -> list[str]:
        """Return sentences about the field of the event, and others that fit any event."""
        fields, others = BACKGROUND.get(self.report.style, (0, 0))
        general = read_book().common_details
        if self.event.is_part:  # the parts of a saga are stories of their own
            fields += 1
            general = tuple(text for text in general if not slots(text) & COMPANY_FACTS)
        trade = rng.sample(self.event.field.sentences, min(fields, len(self.event.field.sentences)))
        opening = rng.choice(read_book().common["trade"].split(" | "))
        about = [" ".join([opening, *trade])] if trade else []
        return about + rng.sample(general, others)

    def _details(self, text: str, rng: Random) -> list[str]:
        """Return sentences with facts that `text` lacks. Those that fewer outlets use come first."""
        known, own = slots(text), self.event.plot.facts.keys()
        details = self.event.details
        start = (3 * self.event.turn + self.turn.of_all) % max(len(details), 1)
        rest = [
            detail
            for detail in details[start:] + details[:start]
            if not slots(detail) & own or slots(detail) & own - known
        ]
        return rest[: rng.randint(*DETAILS.get(self.report.style, (0, 0)))]


def _corrected(version: Version, wrong: str) -> Version:
    note = f"Correction: an earlier version of this report gave a figure of {wrong}."
    return Version(version.since, version.title, (*version.paragraphs, note))


def _copy(wire: Article, outlet: Outlet, rng: Random) -> Article:
    """Return a copy of the first version of the wire's report at another outlet."""
    first = wire.versions[0]
    since = first.since + timedelta(minutes=rng.randrange(15, 200))
    version = Version(since, first.title, first.paragraphs)
    return Article(outlet.slug, wire.slug, wire.story, (version,))


def _follow_ups(event: _Event, articles: list[Article]) -> Iterator[Article]:
    """Yield later articles of outlets that reported the event."""
    reported = {article.outlet for article in articles}
    for outlet in OUTLETS:
        for report in event.plot.follow_ups:
            if outlet.style == report.style and outlet.slug in reported:
                yield _write(event, outlet, report, _Turn())
