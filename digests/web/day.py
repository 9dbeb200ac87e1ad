"""The URL path converter for the day of an edition: `<day:day>`."""

from datetime import date


class DayConverter:
    """Converts dates such as `2026-08-22`. Impossible dates do not match."""

    regex = r"\d{4}-\d{2}-\d{2}"

    def to_python(self, value: str) -> date:
        return date.fromisoformat(value)

    def to_url(self, value: date) -> str:
        return value.isoformat()
