"""The groupers of this process: of what is public, and of the private items of each audience."""

import math
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from feeds.core.ids import lowest_id
from feeds.models import Item
from feeds.models.item import ItemQuerySet
from feeds.stories.grouping.audience import Audience, Audiences
from feeds.stories.grouping.documents import COLUMNS, document_of
from feeds.stories.grouping.meaning import meanings, texts_of
from feeds.stories.grouping.online import Assignment, Barred, Grouper, Vectors
from feeds.stories.grouping.similarity import WINDOW
from feeds.stories.grouping.tokenizer import Document

RESIDENT = timedelta(days=7)
"""Stories of the last days stay in memory; what is older is grouped near its own time."""
MOST_NEIGHBOURS = 5_000
"""Items of an archive's days that are read to group some more of it."""
MOST_RESIDENT = 125_000
SEEDED = 5_000
"""Items that are read at a time, as what is kept of each is much smaller."""


def public_items() -> ItemQuerySet:
    return Item.objects.filter(source__is_public=True)


def items_of(audience: Audience, sources: Collection[int]) -> ItemQuerySet:
    """The items of an audience's sources; of all that nobody follows where it is empty."""
    if audience:
        return Item.objects.filter(source__in=list(sources))
    return Item.objects.filter(source__is_public=False, source__subscriptions=None)


@dataclass(slots=True)
class _Private:
    grouper: Grouper = field(default_factory=Grouper)
    sources: set[int] = field(default_factory=set)
    """Those whose items it was given."""


class Residents:
    """What stays in memory between two calls, and is read from the database where it is not.

    Private items never touch the grouper of the public ones: neither its documents nor when it
    is read. Where it was not read yet they look at another one.
    """

    def __init__(self) -> None:
        self._public: Grouper | None = None
        self._looked_at: Grouper | None = None
        self._private: OrderedDict[Audience, _Private] = OrderedDict()

    def forget(self) -> None:
        self._public = self._looked_at = None
        self.forget_private()

    def forget_private(self) -> None:
        self._private.clear()

    def public(self, vectors: Vectors, now: datetime) -> Grouper:
        """For public items alone."""
        if self._public is None or not self._public.takes(vectors):
            self._looked_at = None
            self._public = _read_public(now)
        self._public.forget_before((now - RESIDENT).timestamp())
        return self._public

    def private(
        self, audience: Audience, audiences: Audiences, vectors: Vectors, now: datetime
    ) -> Grouper:
        """For the items of this audience, below those of all that its readers share."""
        above = [self._shared(now)]
        above += [self.private(one, audiences, {}, now) for one in audiences.above(audience)]
        sources = audiences.sources[audience]
        own = self._private.get(audience)
        if own is None or not own.grouper.takes(vectors) or (audience and own.sources - sources):
            own = self._private[audience] = _Private()
        self._private.move_to_end(audience)
        own.grouper.stand_below(above)
        own.grouper.forget_before((now - RESIDENT).timestamp())
        missing = sources - own.sources
        if missing and (audience or not own.sources):
            lowest = lowest_id(now - RESIDENT)
            items = items_of(audience, missing)
            seed(own.grouper, items, lowest, None, MOST_RESIDENT, with_meaning=True)
        own.sources |= missing
        return own.grouper

    def _shared(self, now: datetime) -> Grouper:
        if self._public is not None:
            return self._public
        if self._looked_at is None:
            self._looked_at = _read_public(now)
        return self._looked_at

    def trim(self) -> None:
        """Drop the private groupers that were not asked for longest, where they are too many."""
        kept = sum(own.grouper.documents for own in self._private.values())
        while kept > MOST_RESIDENT and len(self._private) > 1:
            _, gone = self._private.popitem(last=False)
            kept -= gone.grouper.documents


def _read_public(now: datetime) -> Grouper:
    grouper = Grouper()
    lowest = lowest_id(now - RESIDENT)
    seed(grouper, public_items(), lowest, None, MOST_RESIDENT, with_meaning=True)
    return grouper


class Archive:
    """Groups old items in order of time, with the stories of a sliding window in memory."""

    def __init__(self) -> None:
        self._groupers: dict[Audience | None, Grouper] = {}
        self._seeded: dict[Audience | None, float] = {}

    def assign_public(self, documents: Sequence[Document], barred: Barred) -> dict[int, Assignment]:
        if not documents:
            return {}
        return self._near(None, public_items(), documents).assign_all(documents, None, barred)

    def assign_private(
        self,
        batch: Sequence[Document],
        audience: Audience,
        audiences: Audiences,
        documents: Sequence[Document],
        barred: Barred,
    ) -> dict[int, Assignment]:
        """`documents` are those of `batch`, in order of time, that this audience has."""
        if not documents:
            return {}
        grouper = self._below(audience, audiences, batch)
        return grouper.assign_all(documents, None, barred)

    def _below(
        self, audience: Audience, audiences: Audiences, batch: Sequence[Document]
    ) -> Grouper:
        above = [self._near(None, public_items(), batch)]
        above += [self._below(one, audiences, batch) for one in audiences.above(audience)]
        self._groupers.setdefault(audience, Grouper()).stand_below(above)
        return self._near(audience, items_of(audience, audiences.sources[audience]), batch)

    def _near(
        self, layer: Audience | None, items: ItemQuerySet, batch: Sequence[Document]
    ) -> Grouper:
        grouper = self._groupers.setdefault(layer, Grouper())
        start, end = batch[0].time - WINDOW, batch[-1].time + WINDOW
        grouper.forget_before(start)
        lowest = max(start, self._seeded.get(layer, -math.inf))
        if lowest < end:
            seed(grouper, items, _id_at(lowest), _id_at(end), MOST_NEIGHBOURS)
        self._seeded[layer] = max(end, lowest)
        return grouper


def _id_at(seconds: float) -> int:
    return lowest_id(datetime.fromtimestamp(seconds, tz=UTC))


def seed(
    grouper: Grouper,
    items: ItemQuerySet,
    lowest: int,
    highest: int | None,
    most: int,
    *,
    with_meaning: bool = False,
) -> None:
    """Read the stories between two ids into memory, the newest where there are too many."""
    known = items.filter(pk__gte=lowest).exclude(story=None)
    if highest is not None:
        known = known.filter(pk__lt=highest)
    too_many = known.newest_first().values_list("pk", flat=True)[most : most + 1]
    last = next(iter(too_many), lowest - 1)
    while rows := list(
        known.filter(pk__gt=last).order_by("pk").values_list(*COLUMNS, "story_id")[:SEEDED]
    ):
        documents = [(document_of(row), row[-1]) for row in rows]
        grouper.put_all(documents, meanings(texts_of(rows)) if with_meaning else {})
        last = rows[-1][0]
