"""The text that Prometheus reads.

prometheus_client writes it. Only a process that is scraped imports it, because it takes memory.
"""

import logging
import os
from collections import Counter as Numbers
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ainews_site.infra import metric_files as files
from ainews_site.infra.metric_kinds import Counter, Histogram, Measured, Metric
from ainews_site.infra.metrics import FETCH_ERRORS, FETCH_SECONDS, OTHER, RECORDED
from ainews_site.metrics.measured import MEASURED, Value, is_database_up, measured
from feeds.ingest.measure import selected_sources

PROCESSES = Measured("ainews_processes", "Processes of this machine by role", ("role",))
RESIDENT = Measured(
    "ainews_resident_bytes", "Memory of the processes of this machine by role", ("role",)
)
DEGRADED = Measured("ainews_degraded", "1 if /health has a problem, else 0")
BY_SOURCE = (FETCH_SECONDS.name, FETCH_ERRORS.name)
OF_PROCESSES = (PROCESSES, RESIDENT)

logger = logging.getLogger(__name__)


def all_metrics() -> tuple[Metric, ...]:
    return (*RECORDED, *MEASURED, DEGRADED, *OF_PROCESSES)


def exposition(
    accept: str = "", *, with_measured: bool = True, extra: Sequence[Value] = ()
) -> tuple[bytes, str]:
    """Return the metrics in the format that the client accepts, and its content type.

    Without `with_measured` they are those that the processes of this machine recorded: what is
    measured is the same for all machines. `extra` are values that the caller has measured.
    """
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.registry import CollectorRegistry

    encode, content_type = choose_encoder(accept)
    registry = CollectorRegistry()
    registry.register(_Collector(with_measured, extra))
    return encode(registry), content_type


class _Collector:
    """What prometheus_client calls a collector."""

    def __init__(self, with_measured: bool, extra: Sequence[Value]) -> None:
        self._with_measured, self._extra = with_measured, extra

    def collect(self) -> Iterator[Any]:
        everything = files.read_all()
        values = measured() if self._with_measured else []
        by_name: dict[str, list[Row]] = defaultdict(list)
        for key, numbers in everything.series.items():
            name, *labels = key.split(files.SEPARATOR)
            by_name[name].append((tuple(labels), numbers))
        selected = self._selected(values)
        for metric in RECORDED:
            rows = by_name.get(metric.name, [])
            if metric.name in BY_SOURCE and selected is not None:
                rows = [row for row in rows if row[0][0] in selected]
            yield family(metric, [*rows, *_zeros(metric, rows)])
        yield from _families(OF_PROCESSES, process_values(everything.processes))
        yield from _families((*MEASURED, DEGRADED), [*values, *self._extra])

    def _selected(self, values: list[Value]) -> frozenset[str] | None:
        """Return the labels of sources to show, None for all: if the database is down."""
        if values and not is_database_up(values):
            return None
        try:
            return frozenset({OTHER, *map(str, selected_sources())})
        except Exception as error:  # noqa: BLE001 - a scrape works without the database
            logger.info("sources_not_selected reason=%s", error)
            return None


Row = tuple[tuple[str, ...], list[float]]
"""The labels of a series, and its values."""


def _zeros(metric: Metric, rows: Iterable[Row]) -> Iterator[Row]:
    """Return the outcomes that a counter has not counted yet beside those that it has."""
    if not isinstance(metric, Counter) or not metric.outcomes:
        return
    counted = {labels for labels, _ in rows}
    subjects = {labels[:-1] for labels in counted} if len(metric.labels) > 1 else {()}
    for subject in sorted(subjects):
        for outcome in metric.outcomes:
            if (*subject, outcome) not in counted:
                yield (*subject, outcome), [0.0]


def _families(metrics: Iterable[Metric], values: Iterable[Value]) -> Iterator[Any]:
    by_name: dict[str, list[Row]] = defaultdict(list)
    for name, labels, value in values:
        by_name[name].append((labels, [value]))
    return (family(metric, by_name[metric.name]) for metric in metrics if metric.name in by_name)


def family(metric: Metric, rows: Iterable[Row]) -> Any:
    """Return a metric with its series, as prometheus_client has it."""
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    kinds = {
        "counter": CounterMetricFamily,
        "gauge": GaugeMetricFamily,
        "histogram": HistogramMetricFamily,
    }
    result = kinds[metric.kind](metric.name, metric.help, labels=metric.labels)
    for labels, values in rows:
        if len(labels) != len(metric.labels) or len(values) != metric.size:
            continue  # of another release
        if isinstance(metric, Histogram):
            result.add_metric(labels, *_buckets(metric, values))
        else:
            result.add_metric(labels, values[0])
    return result


def _buckets(metric: Histogram, values: list[float]) -> tuple[list[tuple[str, float]], float]:
    """Return the cumulative buckets, and the sum."""
    total, buckets = 0.0, []
    for bound, count in zip((*metric.buckets, float("inf")), values[:-1], strict=True):
        total += count
        buckets.append(("+Inf" if bound == float("inf") else repr(float(bound)), total))
    return buckets, values[-1]


class Processes(NamedTuple):
    """The processes of a role: their number, and their memory in bytes, 0 if it is not known."""

    role: str
    number: int
    memory: int


def processes_by_role(processes: Iterable[tuple[str, int]]) -> list[Processes]:
    numbers: Numbers[str] = Numbers()
    memory: Numbers[str] = Numbers()
    for role, pid in processes:
        numbers[role] += 1
        memory[role] += resident_bytes(pid)
    return [Processes(role, numbers[role], memory[role]) for role in sorted(numbers)]


def process_values(processes: Iterable[tuple[str, int]]) -> list[Value]:
    """Return number and memory of the processes of this machine."""
    rows = processes_by_role(processes)
    values: list[Value] = [(PROCESSES.name, (row.role,), float(row.number)) for row in rows]
    return values + [(RESIDENT.name, (row.role,), float(row.memory)) for row in rows if row.memory]


def resident_bytes(pid: int) -> int:
    """Return the memory of a process, 0 where the system has no /proc."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as opened:  # noqa: PTH123 - no file
            return int(opened.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
