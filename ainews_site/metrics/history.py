"""The past day in steps of five minutes, for the page at /ops/.

The samples of this machine are in a file of DATA/metrics, at most a day of them. Workers add one
after a task if the last is five minutes old, and so does a scrape of the metrics. Counters are
stored as they are, and the page computes differences, so that a missing sample loses nothing.
"""

import fcntl
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from django.conf import settings

from ainews_site.infra import metric_files as files
from ainews_site.infra import metrics as defined
from ainews_site.infra.metric_files import SEPARATOR, Series
from ainews_site.infra.process_state import resets_process_state
from ainews_site.metrics import measured as gauges
from ainews_site.metrics.measured import Value, measured

STEP, KEPT = 300.0, 24 * 3600.0
"""Seconds between two samples, and for which a sample is kept."""
FILE, LOCK = "history.json", "sampling"

logger = logging.getLogger(__name__)
_next_check = 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """The state at a Unix time. `counts` only grow, `values` go up and down, `latency` are the
    buckets of all requests."""

    at: float
    counts: dict[str, float]
    values: dict[str, float]
    latency: list[float]


def sample_if_due() -> None:
    """Take a sample if the last one is STEP seconds old. Never raises."""
    global _next_check
    if not settings.METRICS or time.monotonic() < _next_check:
        return
    _next_check = time.monotonic() + STEP / 10
    try:
        _sample()
    except Exception as error:  # noqa: BLE001 - a task or a page must go on
        logger.warning("sample_failed reason=%s: %s", type(error).__name__, error)


@resets_process_state
def check_again() -> None:
    """Let the next call look at the file."""
    global _next_check
    _next_check = 0.0


def _sample() -> None:
    where = files.folder()
    where.mkdir(parents=True, exist_ok=True)
    with (where / LOCK).open("ab") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # another process takes it
            return
        samples = samples_of_day()
        if samples and time.time() - samples[-1].at < STEP - 1:
            return
        samples.append(take_sample())
        rows = [[s.at, s.counts, s.values, s.latency] for s in samples]
        new = (where / FILE).with_suffix(".writing")
        new.write_text(json.dumps(rows))
        new.replace(where / FILE)


def samples_of_day() -> list[Sample]:
    """Return the samples of the past day, oldest first. Those of a wrong clock are left out."""
    try:
        rows = json.loads((files.folder() / FILE).read_bytes())
        samples = [Sample(float(at), counts, values, list(b)) for at, counts, values, b in rows]
    except (OSError, ValueError, TypeError):
        return []
    now = time.time()
    return [sample for sample in samples if now - KEPT <= sample.at <= now]


def take_sample() -> Sample:
    """Return the present state."""
    return Sample(time.time(), *_state(files.read_all().series, measured()))


def _state(
    series: Series, values: Sequence[Value]
) -> tuple[dict[str, float], dict[str, float], list[float]]:
    counts = {name: count(series) for name, count in COUNTS.items()}
    by_key = {(name, labels): value for name, labels, value in values}
    levels = {name: by_key[key] for name, key in VALUES.items() if key in by_key}
    levels["sockets"] = _total(series, defined.SOCKETS.name)
    return counts, levels, _buckets(series)


def _rows(series: Series, name: str) -> list[tuple[list[str], list[float]]]:
    split = ((key.split(SEPARATOR), values) for key, values in series.items())
    return [(labels, values) for (first, *labels), values in split if first == name]


def _total(series: Series, name: str, has: Callable[[list[str]], bool] = lambda _: True) -> float:
    """Return the sum of a counter or level over the labels that `has` accepts."""
    return sum(values[0] for labels, values in _rows(series, name) if has(labels))


def _number(series: Series, name: str) -> float:
    """Return how many values a histogram has."""
    return sum(sum(values[:-1]) for _, values in _rows(series, name))


def _buckets(series: Series) -> list[float]:
    size = len(defined.REQUEST_SECONDS.buckets) + 1
    rows = [values[:size] for _, values in _rows(series, defined.REQUEST_SECONDS.name)]
    return [sum(column) for column in zip(*rows, strict=True)] if rows else [0.0] * size


def _errors(series: Series) -> float:
    rows = _rows(series, defined.REQUEST_SECONDS.name)
    return sum(sum(values[:-1]) for labels, values in rows if labels[-1] == "5xx")


COUNTS: dict[str, Callable[[Series], float]] = {
    "requests": lambda s: _number(s, defined.REQUEST_SECONDS.name),
    "server_errors": _errors,
    "refused": lambda s: _total(s, defined.REFUSED.name),
    "fetches": lambda s: _number(s, defined.FETCH_SECONDS.name),
    "fetch_errors": lambda s: _total(s, defined.FETCH_ERRORS.name),
    "items": lambda s: _total(s, defined.ITEMS_NEW.name),
    "tasks_failed": lambda s: _total(s, defined.TASKS.name, lambda ls: ls[-1] == "failed"),
    "editions": lambda s: _total(s, defined.DIGESTS.name, lambda ls: ls[-1] == "written"),
    "editions_failed": lambda s: _total(s, defined.DIGESTS.name, lambda ls: ls[-1] == "failed"),
    "deliveries": lambda s: _total(s, defined.DELIVERIES.name, lambda ls: ls[-1] == "sent"),
    "deliveries_failed": lambda s: _total(s, defined.DELIVERIES.name, lambda ls: ls[-1] != "sent"),
    "dollars": lambda s: _total(s, defined.LLM_COST.name),
    "cache": lambda s: _total(s, defined.CACHE_REQUESTS.name),
    "cache_misses": lambda s: _total(s, defined.CACHE_REQUESTS.name, lambda ls: ls[-1] == "miss"),
    "leases_expired": lambda s: _total(s, defined.LEASE_EXPIRIES.name),
}
VALUES: dict[str, tuple[str, tuple[str, ...]]] = {
    "queue_fast": (gauges.QUEUE_DEPTH.name, ("fast",)),
    "queue_slow": (gauges.QUEUE_DEPTH.name, ("slow",)),
    "queue_age": (gauges.QUEUE_AGE.name, ("fast",)),
    "poll_lag": (gauges.POLL_LAG.name, ()),
    "sources_failing": (gauges.SOURCES.name, ("failing",)),
    "database": (gauges.DATABASE_BYTES.name, ()),
    "disk_free": (gauges.DISK_FREE.name, ()),
}


def growth(samples: Sequence[Sample], name: str) -> list[float]:
    """Return by how much a count grew between each two samples.

    A count that fell began again, as after DATA/metrics was deleted.
    """
    counts = [sample.counts.get(name, 0.0) for sample in samples]
    pairs = pairwise(counts)
    return [after - before if after >= before else after for before, after in pairs]


def percentiles(samples: Sequence[Sample], share: float) -> list[float | None]:
    """Return the latency that `share` of the requests stayed below, between each two samples.

    It is the upper bound of a bucket; None without requests.
    """
    return [
        _percentile(_grown(before.latency, after.latency), share)
        for before, after in pairwise(samples)
    ]


def _grown(before: list[float], after: list[float]) -> list[float]:
    if len(before) != len(after) or sum(after) < sum(before):
        return after
    return [new - old for old, new in zip(before, after, strict=True)]


def _percentile(buckets: list[float], share: float) -> float | None:
    total, reached = sum(buckets), 0.0
    if total <= 0:
        return None
    bounds = defined.REQUEST_SECONDS.buckets
    for bound, count in zip((*bounds, 2 * bounds[-1]), buckets, strict=False):
        reached += count
        if reached >= share * total:
            return bound
    return None
