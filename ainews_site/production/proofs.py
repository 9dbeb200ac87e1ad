"""Rows that only a test of the whole installation proves, and the record of when it was done.

No program can see from outside that a drill was held. The operator who held it records it by
`manage.py doctor --production --did NAME`, which writes the date to DATA/production.json.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings

from ainews_site.infra.invocation import manage_command
from ainews_site.production.row import Outcome, not_done, ok, warning

LASTS = timedelta(days=180)
"""After that the installation has changed enough for another test."""
PROOFS = {
    "load": ("A load test", "make load"),
    "stop": ("A restart under load", "make chaos"),
    "drill": ("A recovery drill", "make drill"),
}
"""{name: (what it is, the command that does it)}"""


def load_tested() -> Outcome:
    return proof("load")


def stops_gracefully() -> Outcome:
    return proof("stop")


def recovery_drilled() -> Outcome:
    return proof("drill")


def proof(name: str) -> Outcome:
    what, command = PROOFS[name]
    remedy = f"Run {command}, then {manage_command()} doctor --production --did {name}."
    day = read_record().get(name)
    if day is None:
        return not_done(f"{what} was never recorded.", remedy)
    age = datetime.now(UTC) - day
    sentence = f"{what} was recorded on {day:%Y-%m-%d}"
    if age > LASTS:
        return warning(f"{sentence}, {age.days} days ago.", remedy)
    return ok(f"{sentence}.")


def record(name: str) -> None:
    """Record that the test `name` was done today."""
    days = {**read_record(), name: datetime.now(UTC)}
    text = json.dumps({name: day.isoformat() for name, day in days.items()}, indent=1)
    new = _file().with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(_file())


def read_record() -> Mapping[str, datetime]:
    """Return {name: when}. A file that cannot be read records nothing."""
    try:
        days = json.loads(_file().read_text(encoding="utf-8"))
        return {name: datetime.fromisoformat(day) for name, day in days.items() if name in PROOFS}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _file() -> Path:
    return Path(settings.DATA) / "production.json"
