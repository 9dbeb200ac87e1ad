"""How far the writing of an edition is, in words and numbers for page and socket."""

from typing import Any

from django.utils import timezone

from accounts.models import User
from accounts.zones import zone_named
from digests.models import Writing
from digests.writing import current_writing


def words_of(writing: Writing, zone_name: str) -> str:
    """One sentence or two for the reader."""
    if writing.error:
        again = writing.next_try_at.astimezone(zone_named(zone_name))
        return f"{writing.error} It is tried again at {again:%H:%M}; the last edition stays."
    if not writing.until:
        return "A new edition waits to be written."
    if not writing.total:
        return "Choosing the stories."
    return f"Writing: {writing.done + 1} of {writing.total} stories."


def progress_of(user: User) -> dict[str, Any]:
    """`{kind: "writing", text, done, total}`, `{kind: "failed", text}`, or `{kind: "written"}`
    when there is nothing left to write."""
    writing = current_writing(user)
    if writing is None:
        return {"kind": "written"}
    text = words_of(writing, user.time_zone or timezone.get_default_timezone_name())
    if writing.error:
        return {"kind": "failed", "text": text}
    return {"kind": "writing", "text": text, "done": writing.done, "total": writing.total}
