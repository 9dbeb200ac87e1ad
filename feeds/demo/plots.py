"""Reads the plots and sagas of the stream from data/stream.

    == funding | money | lab tools | 6   a plot: its beat, the kinds of company (* is any), its weight
    amount = 20..480/10 | 900            a fact: alternatives, or a range and its step
    ~ amount                             a fact that the wire may report wrongly and correct
    @ wire                               a report of outlets of this style
    # {co} raises {amount} million       an alternative of its headline
    > {TOWN} - {co} said…                an alternative of its lead
    @ wire +5                            a follow-up report, five hours later
    @ all
    + {boss} said…                       a sentence that any report may add

    === launch | lab                     a saga: the plots below it are parts of it, and share its
                                         facts and sentences
    == launch.price | money              a part: its beat

common.txt holds facts and sentences that every plot may use, and fields.txt the fields of life
that events are about.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

from feeds.demo.cast import COMPANIES, STREAM

EVERY_STYLE = "all"


@dataclass(slots=True)
class Report:
    """A report of outlets of one style, `hours` after the event."""

    style: str
    hours: float = 0.0
    headlines: list[str] = field(default_factory=list)
    leads: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Plot:
    """A kind of event, with its reports. `doubtful` is a fact that the wire may report wrongly."""

    key: str
    beat: str
    kinds: tuple[str, ...] = ()
    weight: int = 1
    facts: dict[str, str] = field(default_factory=dict)
    doubtful: str = ""
    reports: dict[str, Report] = field(default_factory=dict)
    follow_ups: list[Report] = field(default_factory=list)
    details: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Saga:
    """A subject of many events within two days. `details` are sentences that connect it to a field."""

    key: str
    kind: str
    facts: dict[str, str] = field(default_factory=dict)
    details: list[str] = field(default_factory=list)
    parts: list[Plot] = field(default_factory=list)


FIELD_FACTS = ("workers", "house", "records", "task", "things", "trouble")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of life: facts by name, and sentences about it."""

    facts: dict[str, str]
    sentences: list[str]


@dataclass(frozen=True, slots=True)
class Book:
    """The content of data/stream. `deck` repeats each plot by its weight."""

    common: dict[str, str]
    common_details: tuple[str, ...]
    plots: tuple[Plot, ...]
    sagas: tuple[Saga, ...]
    deck: tuple[Plot, ...]
    fields: tuple[Field, ...]


@cache
def read_book() -> Book:
    """Return the content of data/stream, which is read once."""
    reader = _Reader()
    for path in sorted(STREAM.glob("plots_*.txt")):
        reader.read(path.read_text(encoding="utf-8").splitlines())
    reader.read((STREAM / "sagas.txt").read_text(encoding="utf-8").splitlines())
    common = (STREAM / "common.txt").read_text(encoding="utf-8").splitlines()
    facts = dict(_fact(line) for line in common if " = " in line and not line.startswith("#"))
    details = tuple(line.removeprefix("+ ") for line in common if line.startswith("+ "))
    deck = tuple(plot for plot in reader.plots for _ in range(plot.weight))
    return Book(facts, details, tuple(reader.plots), tuple(reader.sagas), deck, _read_fields())


def _read_fields() -> tuple[Field, ...]:
    fields: list[Field] = []
    for line in (STREAM / "fields.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            columns = _columns(line.removeprefix("== "))
            fields.append(Field(dict(zip(FIELD_FACTS, columns, strict=True)), []))
        elif line.startswith("+ "):
            fields[-1].sentences.append(line.removeprefix("+ "))
    return tuple(fields)


class _Reader:
    """Parses the lines of plots and sagas."""

    def __init__(self) -> None:
        self.plots: list[Plot] = []
        self.sagas: list[Saga] = []
        self._plot: Plot | None = None
        self._report = Report("")

    def read(self, lines: Iterable[str]) -> None:
        for line in lines:
            mark, _, rest = line.partition(" ")
            if mark == "===":
                self._begin_saga(*_columns(rest))
            elif mark == "==":
                self._begin_plot(_columns(rest))
            elif self._plot is not None and rest:
                self._add(self._plot, mark, rest)
            elif self.sagas and mark == "+":
                self.sagas[-1].details.append(rest)
            elif self.sagas and " = " in line:
                self.sagas[-1].facts.update([_fact(line)])

    def _begin_saga(self, key: str, kind: str) -> None:
        self.sagas.append(Saga(key, kind))
        self._plot = None

    def _begin_plot(self, columns: list[str]) -> None:
        key, beat, *rest = columns
        if rest:
            kinds = tuple(COMPANIES) if rest[0] == "*" else tuple(rest[0].split())
            self._plot = Plot(key, beat, kinds, int(rest[1]))
            self.plots.append(self._plot)
        else:
            self._plot = Plot(key, beat)
            self.sagas[-1].parts.append(self._plot)

    def _add(self, plot: Plot, mark: str, rest: str) -> None:
        if mark == "@":
            style, _, hours = rest.partition(" +")
            self._report = Report(style, float(hours or 0))
            if hours:
                plot.follow_ups.append(self._report)
            elif style != EVERY_STYLE:
                plot.reports[style] = self._report
        elif mark == "#":
            self._report.headlines.append(rest)
        elif mark == ">":
            self._report.leads.append(rest)
        elif mark == "+":
            plot.details.append(rest)
        elif mark == "~":
            plot.doubtful = rest
        else:
            plot.facts.update([_fact(f"{mark} {rest}")])


def _columns(text: str) -> list[str]:
    return [column.strip() for column in text.split("|")]


def _fact(line: str) -> tuple[str, str]:
    name, _, value = line.partition(" = ")
    return name, value.strip()
