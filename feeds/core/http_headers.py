"""Parses response headers about retries and caching. Pure."""

import email.utils
from collections.abc import Mapping
from datetime import UTC, datetime

DAY = 24 * 60 * 60


def retry_after(headers: Mapping[str, str], now: datetime) -> int | None:
    """Return Retry-After (RFC 9110, 10.2.3) in seconds, at most 24 h, or None."""
    value = headers.get("retry-after", "").strip()
    if _is_number(value):
        return min(int(value[:9]), DAY)
    return _until(value, now)


def max_age(headers: Mapping[str, str], now: datetime) -> int | None:
    """Return how long the response is fresh in seconds, at most 24 h, or None.

    Cache-Control takes precedence over Expires.
    """
    for directive in headers.get("cache-control", "").split(","):
        name, _, value = directive.strip().partition("=")
        if name.lower() == "max-age" and _is_number(value.strip('" ')):
            return min(int(value.strip('" ')[:9]), DAY)
    return _until(headers.get("expires", ""), now)


def validator(value: str, longest: int) -> str:
    """Return an ETag or a date that can be sent back, or "" if no header can contain it."""
    return value[:longest] if value.isascii() and value.isprintable() else ""


def _is_number(value: str) -> bool:
    """Return True for ASCII digits only. str.isdigit() also accepts digits that int() rejects."""
    return value.isascii() and value.isdigit()


def _until(value: str, now: datetime) -> int | None:
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0, min(int((moment - now).total_seconds()), DAY))
