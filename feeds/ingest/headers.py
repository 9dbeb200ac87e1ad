"""Read what a response's headers say about when to come back. Pure."""

import email.utils
from collections.abc import Mapping
from datetime import UTC, datetime

DAY = 24 * 60 * 60


def retry_after(headers: Mapping[str, str], now: datetime) -> int | None:
    """Retry-After in seconds (RFC 9110 10.2.3), capped at 24 h; None where there is none."""
    value = headers.get("retry-after", "").strip()
    if value.isdigit():
        return min(int(value[:9]), DAY)
    return _until(value, now)


def max_age(headers: Mapping[str, str], now: datetime) -> int | None:
    """How long the response stays fresh (Cache-Control before Expires), capped at 24 h."""
    for directive in headers.get("cache-control", "").split(","):
        name, _, value = directive.strip().partition("=")
        if name.lower() == "max-age" and value.strip('" ').isdigit():
            return min(int(value.strip('" ')[:9]), DAY)
    return _until(headers.get("expires", ""), now)


def _until(value: str, now: datetime) -> int | None:
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0, min(int((moment - now).total_seconds()), DAY))
