"""Read what a response's headers say about when to come back. Pure."""

import email.utils
from collections.abc import Mapping
from datetime import UTC, datetime

DAY = 24 * 60 * 60


def retry_after(headers: Mapping[str, str], now: datetime) -> int | None:
    """Retry-After in seconds (RFC 9110 10.2.3), capped at 24 h; None where there is none."""
    value = headers.get("retry-after", "").strip()
    if _is_number(value):
        return min(int(value[:9]), DAY)
    return _until(value, now)


def max_age(headers: Mapping[str, str], now: datetime) -> int | None:
    """How long the response stays fresh (Cache-Control before Expires), capped at 24 h."""
    for directive in headers.get("cache-control", "").split(","):
        name, _, value = directive.strip().partition("=")
        if name.lower() == "max-age" and _is_number(value.strip('" ')):
            return min(int(value.strip('" ')[:9]), DAY)
    return _until(headers.get("expires", ""), now)


def validator(value: str, longest: int) -> str:
    """An ETag or a date as it may be sent back; one that no header can carry is none."""
    return value[:longest] if value.isascii() and value.isprintable() else ""


def _is_number(value: str) -> bool:
    """Only ASCII digits: int() refuses others that str.isdigit() allows, such as a raised two."""
    return value.isascii() and value.isdigit()


def _until(value: str, now: datetime) -> int | None:
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0, min(int((moment - now).total_seconds()), DAY))
