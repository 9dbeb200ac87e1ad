"""Values that a scrape measures: sizes, queues, lags, dates.

They cost queries, so all processes of a machine measure at most once in FRESH seconds, and share
the values through a file of DATA/metrics. A group of values that cannot be measured is left out,
and the others are still measured: monitoring must work above all while something is down.
"""

import fcntl
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import Error, connection
from django.db.models import Count, Max, Min, Q
from django_q.brokers import get_broker
from django_q.models import OrmQ

from ainews_site.infra import db_clock
from ainews_site.infra import metric_files as files
from ainews_site.infra.cache import circuit
from ainews_site.infra.certificate import expiry_of
from ainews_site.infra.metric_kinds import Measured
from ainews_site.infra.replicas import replicas
from ainews_site.queue.config import FAST, SLOW
from digests.channels.outbox import count_overdue
from digests.models import Writing
from feeds.ai.language.admission import cost_of_month
from feeds.ai.language.prices import DOLLAR
from feeds.models import Source

FRESH = 15.0
"""Seconds for which measured values are used."""
FILE, LOCK = "measured.json", "measuring"
LATE = timedelta(minutes=5)
"""Editions and deliveries that were due before count as overdue."""

Value = tuple[str, tuple[str, ...], float]
"""Name of a metric, labels and value."""

logger = logging.getLogger(__name__)
_logged: set[str] = set()


def _gauge(name: str, help: str, *labels: str) -> Measured:
    return Measured(f"ainews_{name}", help, labels)


DATABASE_UP = _gauge("database_up", "1 if the database answers, else 0")
DATABASE_BYTES = _gauge("database_bytes", "Size of the database")
REPLICA_UP = _gauge("replica_up", "1 if the replica answers and does not lag, else 0", "replica")
REPLICA_LAG = _gauge("replica_lag_seconds", "Seconds that a replica lags behind", "replica")
REDIS_UP = _gauge("redis_up", "1 if Redis answers, else 0. Only if REDIS_URL is set")
QUEUE_DEPTH = _gauge("queue_depth", "Tasks that wait in a queue: fast, slow", "queue")
QUEUE_RUNNING = _gauge("queue_running", "Tasks of a queue that are running", "queue")
QUEUE_AGE = _gauge(
    "queue_age_seconds", "Seconds that the oldest task of a queue has waited", "queue"
)
SOURCES = _gauge("sources", "Sources by state: ok, failing, paused, gone", "state")
POLL_LAG = _gauge("poll_lag_seconds", "Seconds that the most overdue poll of a source is late")
LAST_POLL = _gauge("last_poll_timestamp_seconds", "Unix time of the last poll of any source")
OVERDUE = _gauge(
    "overdue",
    "Editions and deliveries that should have been done five minutes ago: editions, deliveries",
    "what",
)
LLM_MONTH = _gauge("llm_month_cost_dollars", "Cost of language models this month")
LLM_BUDGET = _gauge("llm_budget_dollars", "LLM_MONTHLY_BUDGET. Only if it is set")
DISK_FREE = _gauge("disk_free_bytes", "Free space of the disk that has DATA")
DISK_SIZE = _gauge("disk_bytes", "Size of the disk that has DATA")
BACKUP = _gauge(
    "backup_timestamp_seconds",
    "Unix time of the newest backup in DATA/backups, 0 without any. Only if that folder exists",
)
CERTIFICATE = _gauge(
    "certificate_expiry_timestamp_seconds",
    "Unix time at which the certificate in TLS_CERTIFICATE expires. Only if it is set",
)
MEASURE_FAILED = _gauge(
    "measure_failed", "1 if this group of values could not be measured, else 0", "group"
)

MEASURED = (
    DATABASE_UP,
    DATABASE_BYTES,
    REPLICA_UP,
    REPLICA_LAG,
    REDIS_UP,
    QUEUE_DEPTH,
    QUEUE_RUNNING,
    QUEUE_AGE,
    SOURCES,
    POLL_LAG,
    LAST_POLL,
    OVERDUE,
    LLM_MONTH,
    LLM_BUDGET,
    DISK_FREE,
    DISK_SIZE,
    BACKUP,
    CERTIFICATE,
    MEASURE_FAILED,
)


def measured() -> list[Value]:
    """Return the values, at most FRESH seconds old. Measures them if no other process does."""
    file, lock = files.folder() / FILE, files.folder() / LOCK
    if (values := _fresh(file)) is not None:
        return values
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("ab") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        if (values := _fresh(file)) is None:  # another process may have measured meanwhile
            values = measure()
            new = file.with_suffix(".writing")
            new.write_text(json.dumps({"at": time.time(), "values": values}))
            new.replace(file)
    return values


def _fresh(file: Path) -> list[Value] | None:
    try:
        document = json.loads(file.read_bytes())
        age = time.time() - document["at"]
        rows = [(name, tuple(labels), float(value)) for name, labels, value in document["values"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return rows if 0 <= age < FRESH else None


def measure() -> list[Value]:
    """Measure all groups now."""
    values: list[Value] = []
    is_down = False
    for name, group in GROUPS.items():
        try:
            if is_down and name in NEED_DATABASE:  # do not wait for it once more
                raise OSError("the database does not answer")
            rows = list(group())
            is_down = is_down or (DATABASE_UP.name, (), 0.0) in rows
        except Exception as error:  # noqa: BLE001 - the other groups must still be measured
            if name not in _logged:
                logger.warning("measure_failed group=%s reason=%s", name, error)
            _logged.add(name)
            values.append((MEASURE_FAILED.name, (name,), 1.0))
        else:
            _logged.discard(name)
            values += rows
            values.append((MEASURE_FAILED.name, (name,), 0.0))
    return values


def _database() -> Iterator[Value]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        yield DATABASE_UP.name, (), 0.0
        return
    yield DATABASE_UP.name, (), 1.0
    yield DATABASE_BYTES.name, (), float(database_bytes())


def database_bytes() -> int:
    """Return the size of the database, with the log of SQLite."""
    if connection.vendor == "sqlite":
        main = Path(connection.settings_dict["NAME"])
        parts = (main, main.with_name(main.name + "-wal"))
        return sum(part.stat().st_size for part in parts if part.exists())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])


def _replicas() -> Iterator[Value]:
    for replica in replicas():
        probe = replica.probe()
        yield REPLICA_UP.name, (replica.alias,), float(not probe.problem)
        lag = probe.lag
        if lag is not None:
            yield REPLICA_LAG.name, (replica.alias,), lag


def _redis() -> Iterator[Value]:
    if settings.REDIS_URL:
        yield REDIS_UP.name, (), float(not circuit.current_problem())


def _queue() -> Iterator[Value]:
    for label, name in (("fast", FAST), ("slow", SLOW)):
        broker = get_broker(name)
        yield QUEUE_DEPTH.name, (label,), float(broker.queue_size() or 0)
        yield QUEUE_RUNNING.name, (label,), float(broker.lock_size() or 0)
        age = queue_age(name)
        if age is not None:
            yield QUEUE_AGE.name, (label,), age


def queue_age(name: str) -> float | None:
    """Return the seconds that the oldest task of a queue has waited. None if the queue is not in
    the database."""
    if "orm" not in settings.Q_CLUSTER:
        return None
    now = db_clock.now()
    waiting = OrmQ.objects.filter(key=name, lock__lte=now)
    return seconds_since(waiting.aggregate(first=Min("lock"))["first"], now)


def seconds_since(moment: datetime | None, now: datetime) -> float:
    return max((now - moment).total_seconds(), 0.0) if moment else 0.0


def source_counts() -> dict[str, int]:
    """Return the number of sources by state."""
    active = Q(status=Source.Status.ACTIVE)
    counts: dict[str, int] = Source.objects.aggregate(
        ok=Count("pk", filter=active & Q(failures=0)),
        failing=Count("pk", filter=active & Q(failures__gt=0)),
        paused=Count("pk", filter=Q(status=Source.Status.PAUSED)),
        gone=Count("pk", filter=Q(status=Source.Status.GONE)),
    )
    return counts


def _sources() -> Iterator[Value]:
    for state, count in source_counts().items():
        yield SOURCES.name, (state,), float(count)
    now = db_clock.now()
    first = Source.objects.due(now).aggregate(first=Min("next_poll_at"))["first"]
    yield POLL_LAG.name, (), seconds_since(first, now)
    last = Source.objects.aggregate(last=Max("last_fetched_at"))["last"]
    if last:
        yield LAST_POLL.name, (), last.timestamp()


def _digests() -> Iterator[Value]:
    before = db_clock.now() - LATE
    yield OVERDUE.name, ("deliveries",), float(count_overdue(before))
    late = Writing.objects.filter(next_try_at__lt=before)
    late = late.filter(Q(until=None) | Q(until__lt=before))
    yield OVERDUE.name, ("editions",), float(late.count())


def _language() -> Iterator[Value]:
    yield LLM_MONTH.name, (), cost_of_month(db_clock.now().date()) / DOLLAR
    if settings.LLM_MONTHLY_BUDGET:
        yield LLM_BUDGET.name, (), float(settings.LLM_MONTHLY_BUDGET)


def _disk() -> Iterator[Value]:
    usage = shutil.disk_usage(settings.DATA)
    yield DISK_FREE.name, (), float(usage.free)
    yield DISK_SIZE.name, (), float(usage.total)


def _backups() -> Iterator[Value]:
    folder = Path(settings.DATA) / "backups"
    if not folder.is_dir():
        return  # backups are made elsewhere, as in containers
    # A manifest is written last, so a backup that has one is complete.
    manifests = folder.glob("ainews-*.json")
    yield BACKUP.name, (), max((path.stat().st_mtime for path in manifests), default=0.0)


def _certificate() -> Iterator[Value]:
    if settings.TLS_CERTIFICATE:
        yield CERTIFICATE.name, (), expiry_of(Path(settings.TLS_CERTIFICATE)).timestamp()


GROUPS: dict[str, Callable[[], Iterator[Value]]] = {
    "database": _database,
    "replicas": _replicas,
    "redis": _redis,
    "queue": _queue,
    "sources": _sources,
    "digests": _digests,
    "language": _language,
    "disk": _disk,
    "backups": _backups,
    "certificate": _certificate,
}

NEED_DATABASE = frozenset({"queue", "sources", "digests", "language"})


def is_database_up(values: Iterable[Value]) -> bool:
    return (DATABASE_UP.name, (), 1.0) in values
