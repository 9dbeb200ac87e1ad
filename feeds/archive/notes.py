"""What readers are told of the archive."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.db.models import Max, Sum

from feeds.ids import id_time
from feeds.models import ArchivePart


@dataclass(frozen=True)
class Archived:
    """`items` from before `end` are in files, where nobody finds them."""

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
    """None where nothing is."""
    found = ArchivePart.objects.filter(state=ArchivePart.State.ARCHIVED).aggregate(
        items=Sum("items"), end=Max("high")
    )
    return Archived(found["items"], id_time(found["end"])) if found["items"] else None


def why_missing(pk: int) -> str:
    """Where an item or story of this id, which is not here, may be; "" when nobody knows."""
    parts = ArchivePart.objects.filter(state=ArchivePart.State.ARCHIVED)
    part = parts.filter(low__lte=pk, high__gt=pk).first()
    if part is None:
        return ""
    return (
        f"This is from {id_time(pk):%B %Y}, which has been archived. An administrator can restore"
        f" it back: manage.py restore_archive {part.name}."
    )
