"""How far the writing of an edition is, in words and numbers for page and socket."""

from typing import Any

from django.utils import timezone

from accounts.models import User
from ainews_site.infra.timezones import zone_named
from digests.editions.writing import current_writing
from digests.models import Writing


def words_of(writing: Writing, zone_name: str) -> str:
    """One sentence or two for the reader."""
    if writing.error:
        again = writing.next_try_at.astimezone(zone_named(zone_name))
        return (
            f"{writing.error} Next attempt at {again:%H:%M}; the previous edition stays available."
        )
    if not writing.until:
        return "A new edition is queued."
    if not writing.total:
        return "Choosing stories…"
    return f"Writing story {writing.done + 1} of {writing.total}…"


def progress_of(reader: User, *, is_global: bool = False) -> dict[str, Any]:
    """How far `reader`'s own edition is, or everyone's, with hours in the reader's time zone.

    `{kind: "writing", is_global, text, done, total}`, `{kind: "failed", is_global, text}`, or
    `{kind: "written", is_global}` when there is nothing left to write.
    """
    writing = current_writing(None if is_global else reader)
    event: dict[str, Any] = {"kind": "written", "is_global": is_global}
    if writing is None:
        return event
    event["text"] = words_of(writing, reader.time_zone or timezone.get_default_timezone_name())
    if writing.error:
        return event | {"kind": "failed"}
    return event | {"kind": "writing", "done": writing.done, "total": writing.total}
