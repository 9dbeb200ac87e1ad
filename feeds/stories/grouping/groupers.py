"""The groupers in memory: one for public items, and one for each audience's private items.

ArchiveGroupers groups old items with the stories of their own time.
"""

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
from feeds.stories.grouping.embeddings import texts_of, vectors_for
from feeds.stories.grouping.online import Assignment, Excluded, Grouper, Vectors
from feeds.stories.grouping.similarity import WINDOW
from feeds.stories.grouping.tokenizer import Document

RESIDENT_FOR = timedelta(days=7)
"""How long stories stay in memory. Older items are grouped with the stories of their own time."""
MAX_NEARBY_ITEMS = 5_000
"""Items that are read around the time of a batch of old items."""
MAX_RESIDENT = 125_000
"""Items in memory of the public grouper, and as many of all private ones together."""
CHUNK = 5_000
"""Items that are read at a time. Rows need much more memory than what is kept of them."""


def public_items() -> ItemQuerySet:
    return Item.objects.filter(source__is_public=True)


def items_of(audience: Audience, sources: Collection[int]) -> ItemQuerySet:
    """The items of an audience's sources. For the empty audience, of all private sources without
    followers."""
    if audience:
        return Item.objects.filter(source__in=list(sources))
    return Item.objects.filter(source__is_public=False, source__subscriptions=None)


@dataclass(slots=True)
class _Private:
    grouper: Grouper = field(default_factory=Grouper)
    sources: set[int] = field(default_factory=set)
    """The sources whose items were loaded."""


class Groupers:
    """The groupers of recent items. They stay in memory between calls and are loaded on demand.

    Private items must not affect the public grouper in any way, not even when it is loaded. If it
    is not loaded yet, they use a separate copy of it (`_public_copy`).
    """

    def __init__(self) -> None:
        self._public: Grouper | None = None
        self._public_copy: Grouper | None = None
        self._private: OrderedDict[Audience, _Private] = OrderedDict()

    def clear(self) -> None:
        self._public = self._public_copy = None
        self.clear_private()

    def clear_private(self) -> None:
        self._private.clear()

    def public(self, vectors: Vectors, now: datetime) -> Grouper:
        """The grouper for public items."""
        if self._public is None or not self._public.accepts(vectors):
            self._public_copy = None
            self._public = _read_public(now)
        self._public.drop_before((now - RESIDENT_FOR).timestamp())
        return self._public

    def private(
        self, audience: Audience, audiences: Audiences, vectors: Vectors, now: datetime
    ) -> Grouper:
        """The grouper for the private items of an audience, below those of wider audiences."""
        above = [self._public_for_private(now)]
        above += [self.private(wider, audiences, {}, now) for wider in audiences.above(audience)]
        sources = audiences.sources[audience]
        own = self._private.get(audience)
        if own is None or not own.grouper.accepts(vectors) or (audience and own.sources - sources):
            own = self._private[audience] = _Private()
        self._private.move_to_end(audience)
        own.grouper.set_layers_above(above)
        own.grouper.drop_before((now - RESIDENT_FOR).timestamp())
        missing = sources - own.sources
        if missing and (audience or not own.sources):
            lowest = lowest_id(now - RESIDENT_FOR)
            items = items_of(audience, missing)
            load_stories(own.grouper, items, lowest, None, MAX_RESIDENT, with_vectors=True)
        own.sources |= missing
        return own.grouper

    def _public_for_private(self, now: datetime) -> Grouper:
        """The public stories, for private items."""
        if self._public is not None:
            return self._public
        if self._public_copy is None:
            self._public_copy = _read_public(now)
        return self._public_copy

    def trim(self) -> None:
        """Drop the least recently used private groupers while there are too many items."""
        total = sum(own.grouper.documents for own in self._private.values())
        while total > MAX_RESIDENT and len(self._private) > 1:
            _, dropped = self._private.popitem(last=False)
            total -= dropped.grouper.documents


def _read_public(now: datetime) -> Grouper:
    grouper = Grouper()
    lowest = lowest_id(now - RESIDENT_FOR)
    load_stories(grouper, public_items(), lowest, None, MAX_RESIDENT, with_vectors=True)
    return grouper


class ArchiveGroupers:
    """Groupers for old items, in order of time. They keep a sliding window of stories in memory."""

    def __init__(self) -> None:
        self._groupers: dict[Audience | None, Grouper] = {}
        self._loaded_until: dict[Audience | None, float] = {}

    def clear(self) -> None:
        """Free the memory. Items of any time may still be assigned."""
        for grouper in self._groupers.values():
            grouper.clear()
        self._groupers.clear()
        self._loaded_until.clear()

    def assign_public(
        self, documents: Sequence[Document], excluded: Excluded
    ) -> dict[int, Assignment]:
        if not documents:
            return {}
        return self._load_around(None, public_items(), documents).assign_all(
            documents, None, excluded
        )

    def assign_private(
        self,
        batch: Sequence[Document],
        audience: Audience,
        audiences: Audiences,
        documents: Sequence[Document],
        excluded: Excluded,
    ) -> dict[int, Assignment]:
        """`documents` are those of `batch`, in order of time, that belong to the audience."""
        if not documents:
            return {}
        grouper = self._private_grouper(audience, audiences, batch)
        return grouper.assign_all(documents, None, excluded)

    def _private_grouper(
        self, audience: Audience, audiences: Audiences, batch: Sequence[Document]
    ) -> Grouper:
        """The grouper of an audience, below those of wider audiences."""
        above = [self._load_around(None, public_items(), batch)]
        above += [
            self._private_grouper(wider, audiences, batch) for wider in audiences.above(audience)
        ]
        self._groupers.setdefault(audience, Grouper()).set_layers_above(above)
        return self._load_around(audience, items_of(audience, audiences.sources[audience]), batch)

    def _load_around(
        self, layer: Audience | None, items: ItemQuerySet, batch: Sequence[Document]
    ) -> Grouper:
        """The grouper of a layer, with the stories around the time of the batch loaded."""
        grouper = self._groupers.setdefault(layer, Grouper())
        start, end = batch[0].time - WINDOW, batch[-1].time + WINDOW
        grouper.drop_before(start)
        lowest = max(start, self._loaded_until.get(layer, -math.inf))
        if lowest < end:
            load_stories(grouper, items, _id_at(lowest), _id_at(end), MAX_NEARBY_ITEMS)
        self._loaded_until[layer] = max(end, lowest)
        return grouper


def _id_at(seconds: float) -> int:
    return lowest_id(datetime.fromtimestamp(seconds, tz=UTC))


def load_stories(
    grouper: Grouper,
    items: ItemQuerySet,
    lowest: int,
    highest: int | None,
    most: int,
    *,
    with_vectors: bool = False,
) -> None:
    """Load the stories with items between two ids into a grouper, at most the `most` newest
    items."""
    known = items.filter(pk__gte=lowest).exclude(story=None)
    if highest is not None:
        known = known.filter(pk__lt=highest)
    too_many = known.newest_first().values_list("pk", flat=True)[most : most + 1]
    last = next(iter(too_many), lowest - 1)
    while rows := list(
        known.filter(pk__gt=last).order_by("pk").values_list(*COLUMNS, "story_id")[:CHUNK]
    ):
        documents = [(document_of(row), row[-1]) for row in rows]
        grouper.add_known(documents, vectors_for(texts_of(rows)) if with_vectors else {})
        last = rows[-1][0]
