"""What a reader wants to see of the river."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Filters:
    """Everything by default; each field narrows it."""

    folder_id: int | None = None
    source_id: int | None = None
    topic: str = ""
    unread: bool = False
    saved: bool = False
