"""What `/health/ready` checks beside the database and Redis: problems that pages survive."""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max, Min
from django_q.models import OrmQ

from ainews_site import machine_checks
from ainews_site.infra import db_clock
from ainews_site.infra.process_state import resets_process_state
from feeds.models import Source

VALID = 5.0
"""Seconds for which a result is used again, so that probes cost nothing, however many there are."""
LONGEST_WAIT = timedelta(minutes=15)
"""A message that waits longer shows that there are too few workers, or none."""
LONGEST_SILENCE = timedelta(minutes=45)
"""Sources are polled at least this often, if there are any."""
_lock = threading.Lock()
_results: tuple[float, dict[str, str]] | None = None


def results() -> dict[str, str]:
    """Return {check: problem or "ok"} of the checks that apply here.

    One thread checks, and the others get the last results.
    """
    global _results
    known = _results
    if known and time.monotonic() - known[0] < VALID:
        return known[1]
    if not _lock.acquire(blocking=known is None):
        assert known
        return known[1]
    try:
        if _results is known:
            answers = {name: _run(check) for name, check in CHECKS.items()}
            applicable = {name: answer for name, answer in answers.items() if answer is not None}
            _results = time.monotonic(), applicable
        assert _results
        return _results[1]
    finally:
        _lock.release()


@resets_process_state
def forget() -> None:
    """Let the next call check again."""
    global _results
    _results = None


def _run(check: Callable[[], str | None]) -> str | None:
    try:
        problem = check()
        return "ok" if problem == "" else problem
    except Exception as error:  # noqa: BLE001 - any error is the result of the check
        return f"cannot be checked: {type(error).__name__}"


def _queue() -> str | None:
    """Check the oldest message of the queue in the database. Other brokers have alarms."""
    if "orm" not in settings.Q_CLUSTER:
        return None
    now = db_clock.now()
    oldest = OrmQ.objects.filter(lock__lte=now).aggregate(oldest=Min("lock"))["oldest"]
    return "" if _is_recent(oldest, now, LONGEST_WAIT) else f"a task waits since {_shown(oldest)}"


def _last_poll() -> str:
    now = db_clock.now()
    active = Source.objects.filter(status=Source.Status.ACTIVE)
    latest = active.aggregate(latest=Max("last_fetched_at"))["latest"]
    if _is_recent(latest, now, LONGEST_SILENCE):
        return ""
    return f"no source was polled since {_shown(latest)}"


def _certificate() -> str | None:
    return machine_checks.certificate() if settings.TLS_CERTIFICATE else None


def _is_recent(moment: datetime | None, now: datetime, longest: timedelta) -> bool:
    return moment is None or now - moment <= longest


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


CHECKS: dict[str, Callable[[], str | None]] = {
    "queue": _queue,
    "last poll": _last_poll,
    "disk": machine_checks.disk,
    "certificate": _certificate,
}
"""Each returns a problem, "", or None if it does not apply to this installation."""
