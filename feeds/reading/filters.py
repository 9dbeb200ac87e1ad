"""The filters of the river."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Filters:
    """Filters of items. By default there are none. Fields are combined with AND."""

    folder_id: int | None = None
    source_id: int | None = None
    topic: str = ""
    unread: bool = False
    saved: bool = False
    hidden: bool = False
    """Only hidden items, which all other lists leave out."""
