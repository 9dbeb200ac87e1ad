"""Gives OpenTelemetry the metrics of this machine, for those who collect by OTLP.

The processes of a machine share its metrics, so the first that takes a lock sends them for all. A
histogram is sent as its count and its sum: OpenTelemetry has no other form for values that were
recorded elsewhere.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

from django.db import connections

from ainews_site.infra import metric_files as files
from ainews_site.infra.machine_lock import machine_lock
from ainews_site.infra.metric_kinds import Histogram, Metric
from ainews_site.infra.metrics import RECORDED
from ainews_site.metrics.measured import MEASURED, measured

LOCK = "otlp-metrics"
FRESH = 1.0
"""Seconds for which the values of one collection are used: each metric asks for them."""

Rows = dict[str, list[tuple[tuple[str, ...], list[float]]]]
_lock = ExitStack()
_holds_lock = False
_read: tuple[float, Rows] = (0.0, {})


def register(meter: Any, make_observation: Callable[[float, dict[str, str]], Any]) -> None:
    """Create the instruments. `meter` and `make_observation` are those of OpenTelemetry."""

    def observing(metric: Metric, position: int) -> Callable[[object], Iterable[Any]]:
        return lambda _: [
            make_observation(values[position], dict(zip(metric.labels, labels, strict=False)))
            for labels, values in _rows().get(metric.name, [])
        ]

    for metric in (*RECORDED, *MEASURED):
        if isinstance(metric, Histogram):
            name, text = metric.name, metric.help
            meter.create_observable_counter(f"{name}_count", [observing(metric, -2)], "1", text)
            meter.create_observable_counter(f"{name}_sum", [observing(metric, -1)], "s", text)
        elif metric.kind == "counter":
            meter.create_observable_counter(
                metric.exposed, [observing(metric, 0)], "1", metric.help
            )
        else:
            meter.create_observable_gauge(metric.exposed, [observing(metric, 0)], "1", metric.help)


def _rows() -> Rows:
    """Return the series by metric, or nothing if another process sends them."""
    global _holds_lock, _read
    if not _holds_lock and not (_holds_lock := _lock.enter_context(machine_lock(LOCK))):
        return {}
    if time.monotonic() - _read[0] > FRESH:
        _read = time.monotonic(), _collect()
    return _read[1]


def _collect() -> Rows:
    rows: Rows = defaultdict(list)
    counts = {metric.name: metric for metric in RECORDED}
    for key, values in files.read_all().series.items():
        name, *labels = key.split(files.SEPARATOR)
        if isinstance(counts.get(name), Histogram):
            values = [sum(values[:-1]), values[-1]]
        rows[name].append((tuple(labels), values))
    try:
        for name, names, value in measured():
            rows[name].append((tuple(names), [value]))
    finally:
        connections.close_all()  # this thread has no use for them until the next time
    return rows
