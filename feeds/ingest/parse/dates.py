"""Parses the dates of feeds: RFC 822 and its many misspellings, ISO 8601, Unix seconds. Pure."""

import re
from datetime import UTC, datetime, timedelta, timezone

_MONTH_STARTS = {
    "jan": 1, "ene": 1, "gen": 1, "янв": 1,
    "feb": 2, "fév": 2, "fev": 2, "фев": 2,
    "mar": 3, "mär": 3, "mrz": 3, "maa": 3, "мар": 3,
    "apr": 4, "avr": 4, "abr": 4, "апр": 4,
    "may": 5, "mai": 5, "mag": 5, "mei": 5, "май": 5, "мая": 5,
    "jun": 6, "giu": 6, "июн": 6,
    "jul": 7, "lug": 7, "июл": 7,
    "aug": 8, "aou": 8, "aoû": 8, "ago": 8, "авг": 8,
    "sep": 9, "set": 9, "сен": 9,
    "oct": 10, "okt": 10, "ott": 10, "out": 10, "окт": 10,
    "nov": 11, "ноя": 11,
    "dec": 12, "dez": 12, "déc": 12, "dic": 12, "дек": 12,
}  # fmt: skip
_ZONE_HOURS = {
    "ut": 0, "utc": 0, "gmt": 0, "z": 0, "wet": 0, "bst": 1, "west": 1, "cet": 1, "cest": 2,
    "met": 1, "mest": 2, "eet": 2, "eest": 3, "msk": 3, "ist": 5.5, "jst": 9, "kst": 9,
    "est": -5, "edt": -4, "et": -5, "cst": -6, "cdt": -5, "ct": -6, "mst": -7, "mdt": -6,
    "mt": -7, "pst": -8, "pdt": -7, "pt": -8, "akst": -9, "akdt": -8, "hst": -10,
    "aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13,
}  # fmt: skip
_CLOCK = (
    r"(?:[\sT,]+(?:at\s+)?(\d{1,2})[:.](\d{1,2})(?:[:.](\d{1,2})(?:[.,]\d+)?)?\s*([ap]\.?m\b\.?)?)?"
)
_ZONE = r"\s*((?:GMT|UTC)?\s*[+-]\s*\d{1,2}:?\d{0,2}|[A-Za-z]{1,4}\b)?"
_DAY_FIRST = re.compile(
    rf"(\d{{1,2}})(?:st|nd|rd|th|\.)?[\s-]+([^\W\d_]{{3,}})\.?,?[\s-]+(\d{{2,4}})\b{_CLOCK}{_ZONE}"
)
_MONTH_FIRST = re.compile(
    rf"([^\W\d_]{{3,}})\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})\b{_CLOCK}{_ZONE}"
)
_C_TIME = re.compile(
    r"([^\W\d_]{3,})\s+(\d{1,2})\s+(\d{1,2}):(\d{2}):(\d{2})\s+(?:([A-Z]{3,4})\s+)?(\d{4})"
)
_NUMERIC = re.compile(rf"(\d{{4}})[-/.](\d{{1,2}})(?:[-/.](\d{{1,2}}))?{_CLOCK}{_ZONE}")
_OFFSET = re.compile(r"([+-])\s*(\d{1,2}):?(\d{2})?")
_MAX_LENGTH = 100


def parse_date(text: str | None) -> datetime | None:
    """Return the time that `text` stands for, aware and in UTC, or None if it can't be parsed."""
    text = (text or "").strip()[:_MAX_LENGTH]
    if len(text) < 4:
        return None
    try:
        if text[0].isdigit() and text[:4].isdigit():
            return _from_iso(text)
        return _from_words(text)
    except (ValueError, OverflowError, OSError):
        return None


def _from_iso(text: str) -> datetime | None:
    if text.isdigit() and len(text) in (9, 10, 13):
        return datetime.fromtimestamp(int(text[:10]), UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _from_numbers(text)
    return _in_utc(moment)


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _from_numbers(text: str) -> datetime | None:
    match = _NUMERIC.match(text)
    if not match:
        return None
    year, month, day, *clock = match.groups()
    return _moment(int(year), int(month), int(day or 1), *clock)


def _from_words(text: str) -> datetime | None:
    if match := _DAY_FIRST.search(text):
        day, name, year, *clock = match.groups()
        return _moment(_full_year(year), _month(name), int(day), *clock)
    if match := _MONTH_FIRST.search(text):
        name, day, year, *clock = match.groups()
        return _moment(int(year), _month(name), int(day), *clock)
    if match := _C_TIME.search(text):
        name, day, hour, minute, second, zone, year = match.groups()
        return _moment(int(year), _month(name), int(day), hour, minute, second, None, zone)
    return None


def _month(name: str) -> int:
    lowered = name.lower()
    if lowered.startswith(("juin", "junho")):
        return 6
    if lowered.startswith("juil"):
        return 7
    if lowered[:3] not in _MONTH_STARTS:
        raise ValueError(name)
    return _MONTH_STARTS[lowered[:3]]


def _full_year(digits: str) -> int:
    """Expand two digits as in RFC 2822, 4.3, except 50 to 68, which are this century in a feed."""
    year = int(digits)
    if year < 69:
        return 2000 + year
    return 1900 + year if year < 1000 else year


def _moment(
    year: int,
    month: int,
    day: int,
    hour: str | None = None,
    minute: str | None = None,
    second: str | None = None,
    half: str | None = None,
    zone: str | None = None,
) -> datetime:
    hours = int(hour or 0)
    if half:
        hours = hours % 12 + (12 if half[0] in "pP" else 0)
    # 24:00:00 and a leap second occur; a timedelta carries them over.
    clock = timedelta(hours=hours, minutes=int(minute or 0), seconds=int(second or 0))
    if clock > timedelta(days=1, minutes=1):
        raise ValueError(f"no such time of day: {hour}")
    return (datetime(year, month, day, tzinfo=_zone(zone)) + clock).astimezone(UTC)


def _zone(text: str | None) -> timezone:
    if not text:
        return UTC
    if match := _OFFSET.search(text):
        sign, hours, minutes = match.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
        return timezone(-offset if sign == "-" else offset)
    return timezone(timedelta(hours=_ZONE_HOURS.get(text.strip().lower(), 0)))
