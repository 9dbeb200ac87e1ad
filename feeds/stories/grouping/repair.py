"""Repair the stories of the last days every hour: make them what they would be had all their
items been known at once."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q

from ainews_site.infra import db_clock
from feeds.ai.embed.provider import is_chosen
from feeds.coordination.lease import Held
from feeds.core.ids import lowest_id
from feeds.models import Item
from feeds.stories.grouping.audience import Audience, all_audiences
from feeds.stories.grouping.continuity import continue_stories
from feeds.stories.grouping.documents import COLUMNS, document_of
from feeds.stories.grouping.group import (
    forget_private_stories,
    forget_resident_stories,
    group_new_items,
)
from feeds.stories.grouping.lease import grouping_lease
from feeds.stories.grouping.meaning import encode, meanings, texts_of
from feeds.stories.grouping.moves import PUBLIC, move_items
from feeds.stories.grouping.refresh import refresh_stories
from feeds.stories.grouping.similarity import WINDOW
from feeds.stories.grouping.tokenizer import Document

if TYPE_CHECKING:
    from feeds.stories.grouping.layers import Joined
    from feeds.stories.grouping.linkage import Cluster

logger = logging.getLogger(__name__)

REPAIRED = timedelta(seconds=WINDOW)


def repair_stories(now: datetime | None = None) -> int:
    """Make the stories of the last days what they would be had all items been known.

    Merged stories leave a redirect; what a person moved stays. Returns how many items
    changed their story.
    """
    now = now or db_clock.now()
    group_new_items(now=now)
    _encode_recent(now)
    with grouping_lease() as held:
        if held is None:
            return 0
        return _Repair(now, held).run()


def _encode_recent(now: datetime) -> None:
    """What came while there was no model, in too large a number, or before another model.
    It may take minutes, so nobody is kept from grouping."""
    if is_chosen():
        items = Item.objects.filter(pk__gte=lowest_id(now - REPAIRED)).exclude(story=None)
        encode(texts_of(items.values_list(*COLUMNS)))


class _Repair:
    """One repair of the items of the window. `current` is the story of each item so far."""

    def __init__(self, now: datetime, held: Held) -> None:
        self._held = held
        items = Item.objects.filter(pk__gte=lowest_id(now - REPAIRED)).exclude(story=None)
        columns = (*COLUMNS, "story_id", "story_pinned", "source__is_public")
        rows = list(items.values_list(*columns))
        self._public = [document_of(row) for row in rows if row[-1]]
        self._private = [document_of(row) for row in rows if not row[-1]]
        self._vectors = meanings(texts_of(rows))
        self._pinned = {row[0] for row in rows if row[-2]}
        self._current: dict[int, int] = {row[0]: row[-3] for row in rows}

    def run(self) -> int:
        clusters, moved = self._repair_public()
        if moved:
            forget_resident_stories()
        if self._private:
            moved_private = self._repair_private(clusters)
            if moved_private:
                forget_private_stories()
            moved += moved_private
        count = len(self._public) + len(self._private)
        if moved:
            logger.info("stories_repaired items=%s moved=%s", count, moved)
        return moved

    def _repair_public(self) -> "tuple[list[Cluster], int]":
        """As if there were no private items."""
        # numpy takes 0.3 s and 15 MiB, and of all processes only the worker ever repairs.
        from feeds.stories.grouping.linkage import cluster_all
        from feeds.stories.grouping.vectors import Vectors

        own = [one.id for one in self._public]
        known = Vectors({pk: self._vectors[pk] for pk in own if pk in self._vectors})
        clusters = cluster_all(self._public, known)
        groups = [_ids(cluster.documents) for cluster in clusters]
        found = continue_stories(groups, _of(own, self._current), self._pinned)
        return clusters, self._move(found, PUBLIC, is_public=True)

    def _repair_private(self, clusters: "Sequence[Cluster]") -> int:
        """Each audience's items with what its readers share with others, wider ones first."""
        from feeds.stories.grouping.across import Layer
        from feeds.stories.grouping.layers import group_layers

        audiences = all_audiences({one.source for one in self._private})
        own: dict[Audience, list[Document]] = {}
        for document in self._private:
            own.setdefault(audiences.of(document.source), []).append(document)
        order = [audience for audience in audiences.widest_first() if audience in own]
        place_of = {audience: place for place, audience in enumerate(order)}
        above = [[one for one in audiences.above(audience) if one in own] for audience in order]
        layers = [
            Layer(own[audience], [place_of[one] for one in wider])
            for audience, wider in zip(order, above, strict=True)
        ]
        names = {number: self._name_of(one.documents) for number, one in enumerate(clusters)}
        moved = 0
        groups = group_layers(clusters, layers, self._vectors)
        for audience, wider, joined in zip(order, above, groups, strict=True):
            found = self._named(joined, names)
            seen = set().union(*(audiences.sources[one] for one in (audience, *wider)))
            alive = Q(source__in=seen) if audience else Q(source__subscriptions=None)
            moved += self._move(found, PUBLIC | alive, is_public=False)
        refresh_stories({self._current[one.id] for one in self._private})
        return moved

    def _named(self, joined: "Sequence[Joined]", names: dict[int, int]) -> dict[int, int]:
        """{item: story} of a layer; the groups that are new get into `names`, {group: story}."""
        new = [one for one in joined if one.is_new]
        mine = _of((pk for one in joined for pk in _ids(one.documents)), self._current)
        found = continue_stories(
            [_ids(one.documents) for one in new],
            _of((pk for one in new for pk in _ids(one.documents)), mine),
            self._pinned,
            reserved=set(names.values()),
            used={pk for item in self._current.items() if item[0] not in mine for pk in item},
        )
        for one in joined:
            ids = _ids(one.documents)
            if one.is_new:
                names[one.group] = next(
                    (found[pk] for pk in ids if pk in found), self._current[ids[0]]
                )
            else:
                free = (pk for pk in ids if pk not in self._pinned)
                found.update(dict.fromkeys(free, names[one.group]))
        return found

    def _name_of(self, documents: "Sequence[Document]") -> int:
        """The story of a repaired group; that of its first item where a person put all of them
        somewhere."""
        ids = _ids(documents)
        return next(
            (self._current[pk] for pk in ids if pk not in self._pinned), self._current[ids[0]]
        )

    def _move(self, found: Mapping[int, int], alive: Q, *, is_public: bool) -> int:
        """Write what differs, unless another process groups now; how many items were moved."""
        moved = {pk: story for pk, story in found.items() if self._current[pk] != story}
        if not moved:
            return 0
        with transaction.atomic():
            if not self._held.renew():
                return 0
            closed = move_items(moved, self._current, alive, is_public=is_public)
        self._current |= moved
        for pk, story in self._current.items():
            if story in closed:
                self._current[pk] = closed[story]
        return len(moved)


def _ids(documents: Iterable[Document]) -> list[int]:
    return [document.id for document in documents]


def _of(items: Iterable[int], stories: Mapping[int, Any]) -> dict[int, Any]:
    return {pk: stories[pk] for pk in items if pk in stories}
