"""The kinds of metrics that processes record: counters, histograms and levels."""

from bisect import bisect_left
from dataclasses import dataclass
from typing import ClassVar

from ainews_site.infra import metric_files as files

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds of buckets for what a reader waits for."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric. `name` is that of Prometheus without the suffix `_total`, `help` ends without a
    full stop."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: ClassVar[str] = ""

    @property
    def size(self) -> int:
        """The number of values of one series in the files of the processes."""
        return 1

    @property
    def exposed(self) -> str:
        """The name by which queries find it."""
        return self.name


@dataclass(frozen=True, slots=True)
class Counter(Metric):
    """Something that is counted, since the first start with these files.

    `outcomes` are the values of the last label. A scrape shows all of them beside one that was
    counted, because Prometheus sees no increase in a series that begins with 1.
    """

    outcomes: tuple[str, ...] = ()
    kind: ClassVar[str] = "counter"

    @property
    def exposed(self) -> str:
        return f"{self.name}_total"

    def add(self, amount: float = 1.0, *labels: str) -> None:
        if amount:
            files.add(self.name, labels, 1, ((0, amount),))


@dataclass(frozen=True, slots=True)
class Histogram(Metric):
    """A distribution: how often values fell into each bucket, and their sum."""

    buckets: tuple[float, ...] = SECONDS
    kind: ClassVar[str] = "histogram"

    @property
    def size(self) -> int:
        return len(self.buckets) + 2  # the last bucket, and the sum

    def observe(self, value: float, *labels: str) -> None:
        size = len(self.buckets) + 2
        changes = ((bisect_left(self.buckets, value), 1.0), (size - 1, value))
        files.add(self.name, labels, size, changes)


class Level(Metric):
    """A number of each process that goes up and down. The processes that run are added up."""

    __slots__ = ()
    kind = "gauge"

    def put(self, value: float, *labels: str) -> None:
        files.put(self.name, labels, value)


@dataclass(frozen=True, slots=True)
class Measured(Metric):
    """A value that no process counts: a scrape measures it, see ainews_site.metrics.measured."""

    kind: ClassVar[str] = "gauge"
