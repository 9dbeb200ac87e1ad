"""The progress of writing an edition, for the page and the websocket."""

from typing import Any

from django.utils import timezone

from accounts.models import User
from ainews_site.infra.timezones import zone_named
from digests.editions.writing import current_writing
from digests.models import Writing


def progress_message(writing: Writing, zone_name: str) -> str:
    """Describe the progress or the last error for the reader. Times are in `zone_name`."""
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
    """Return the progress of the reader's edition, or of the site's.

    The result is `{kind: "writing", is_global, text, done, total}`, or after an error
    `{kind: "failed", is_global, text}`, or `{kind: "written", is_global}` if nothing is requested.
    """
    writing = current_writing(None if is_global else reader)
    event: dict[str, Any] = {"kind": "written", "is_global": is_global}
    if writing is None:
        return event
    event["text"] = progress_message(
        writing, reader.time_zone or timezone.get_default_timezone_name()
    )
    if writing.error:
        return event | {"kind": "failed"}
    return event | {"kind": "writing", "done": writing.done, "total": writing.total}
