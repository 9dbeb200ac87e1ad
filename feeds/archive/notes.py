"""The notes on archived items that pages and API answers show."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from ainews_site.infra.invocation import PROGRAM
from feeds.core.ids import id_time
from feeds.models import ArchivePart
from feeds.models.narrow import fetch

_TOTALS = "SELECT sum(items), max(high) FROM feeds_archivepart WHERE state = %s"


@dataclass(frozen=True)
class Archived:
    """The number of `items` that are archived, all published before `end`."""

    items: int
    end: datetime

    @cached_property
    def note(self) -> str:
        items = f"{self.items:,} archived item{'s' * (self.items != 1)}"
        return (
            f"Not searched: {items} from before {self.end:%B %Y}. An administrator can restore"
            " archived months."
        )


def archived() -> Archived | None:
    """Return the extent of the archive, or None if nothing is archived."""
    [(items, end)] = fetch(_TOTALS, [ArchivePart.State.ARCHIVED])
    return Archived(int(items), id_time(end)) if items else None


def why_missing(pk: int) -> str:
    """Return a note if a missing item or story may be in the archive, else ""."""
    parts = ArchivePart.objects.filter(state=ArchivePart.State.ARCHIVED)
    part = parts.filter(low__lte=pk, high__gt=pk).first()
    if part is None:
        return ""
    return (
        f"This is from {id_time(pk):%B %Y}, which has been archived. An administrator can restore"
        f" it: {PROGRAM} restore_archive {part.name}."
    )
