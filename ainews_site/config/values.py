"""Validates settings that are not addresses. Pure.

Problems are phrases that follow the name of the setting.
"""

import logging
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from environ import Env

KINDS = {int: "a whole number", float: "a number", bool: "True or False"}
BOOLEANS = (*Env.BOOLEAN_TRUE_STRINGS, "false", "off", "no", "n", "none")


def check_boolean(value: str) -> None:
    """Raise ValueError for a value that is neither true nor false.

    django-environ reads everything that is not true as False, a misspelt `Ture` too.
    """
    if value.strip().lower() not in BOOLEANS:
        int(value)


def kind_problem(kind: type, value: str) -> str:
    return f"must be {KINDS.get(kind, kind.__name__)}, not {value!r}"


def zone_problem(name: str) -> str:
    """Return the problem of the name of a time zone, or ""."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return f"must be the name of a time zone such as Europe/Berlin, not {name!r}"
    return ""


def level_problem(name: str) -> str:
    """Return the problem of the name of a log level, or ""."""
    if name in logging.getLevelNamesMapping():
        return ""
    return f"must be DEBUG, INFO, WARNING or ERROR, not {name!r}"


def ports_problem(ports: Iterable[str]) -> str:
    """Return the problem of a list of ports, or ""."""
    for port in ports:
        if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
            return f"must list ports from 1 to 65535, not {port!r}"
    return ""
