"""The hourly repair: regroup the items of the last days all at once.

Online grouping depends on the order of arrival. The repair removes this dependency: it moves items
so that the stories are the clusters of all items of the window.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q

from ainews_site.infra import db_clock
from ainews_site.infra.stopping import is_stopping, leave_rest
from feeds.ai.embed.provider import is_chosen
from feeds.coordination.lease import Held
from feeds.core.ids import id_time, lowest_id
from feeds.models import Item, Story
from feeds.stories.grouping.audience import Audience, all_audiences
from feeds.stories.grouping.continuity import continue_stories
from feeds.stories.grouping.documents import COLUMNS, document_of
from feeds.stories.grouping.embeddings import embed_missing, texts_of, vectors_for
from feeds.stories.grouping.group import (
    drop_private_stories,
    drop_resident_stories,
    group_new_items,
)
from feeds.stories.grouping.lease import grouping_lease
from feeds.stories.grouping.moves import PUBLIC, move_items
from feeds.stories.grouping.refresh import refresh_stories
from feeds.stories.grouping.similarity import MAX_DOCUMENTS, WINDOW
from feeds.stories.grouping.tokenizer import Document

if TYPE_CHECKING:
    from feeds.stories.grouping.layers import LayerGroup
    from feeds.stories.grouping.linkage import Cluster

logger = logging.getLogger(__name__)

REPAIRED = timedelta(seconds=WINDOW)
STEP = REPAIRED * 2 / 3
"""Time between two windows of a backfill."""


def repair_stories(now: datetime | None = None) -> int:
    """Regroup the items of the last days. Return how many changed their story.

    Merged stories leave a redirect. Items that a person moved stay where they are. Does nothing
    while another process is grouping.
    """
    now = now or db_clock.now()
    group_new_items(now=now)
    _encode_recent(now)
    if is_stopping():
        leave_rest()
        return 0
    with grouping_lease() as held:
        if held is None:
            return 0
        return _Repair(now, held).run()


def repair_backfill(now: datetime | None = None) -> int:
    """Regroup all items window by window, the oldest first. Return how many changed their story.

    The hourly repair reaches back one window. A first poll brings the items of many windows, feed
    by feed, and online grouping joins stories then that have little in common.
    """
    now = now or db_clock.now()
    group_new_items(now=now)
    first = Item.objects.order_by("pk").values_list("pk", flat=True).first()
    end = id_time(first) + REPAIRED if first else now
    moved = 0
    while end < now:
        with grouping_lease() as held:
            moved += _Repair(end, held, is_past=True).run() if held else 0
        end += STEP
    return moved + repair_stories(now)


def _encode_recent(now: datetime) -> None:
    """Embed the items of the window that have no vector of the current model.

    This may take minutes, so it runs without the grouping lease.
    """
    if is_chosen():
        items = Item.objects.filter(pk__gte=lowest_id(now - REPAIRED)).exclude(story=None)
        embed_missing(texts_of(items.values_list(*COLUMNS)))


class _Repair:
    """One repair of the items of the window that ends at `now`. `is_past` leaves out later items.

    `_current` is {item id: current story id}.
    """

    def __init__(self, now: datetime, held: Held, *, is_past: bool = False) -> None:
        self._held, self._since = held, now - REPAIRED
        items = Item.objects.filter(pk__gte=lowest_id(now - REPAIRED)).exclude(story=None)
        if is_past:
            items = items.filter(pk__lt=lowest_id(now))
        columns = (*COLUMNS, "story_id", "story_pinned", "source__is_public")
        rows = list(items.values_list(*columns))
        self._public = [document_of(row) for row in rows if row[-1]]
        self._private = [document_of(row) for row in rows if not row[-1]]
        self._vectors = vectors_for(texts_of(rows))
        self._pinned = {row[0] for row in rows if row[-2]}
        self._current: dict[int, int] = {row[0]: row[-3] for row in rows}

    def run(self) -> int:
        clusters, moved = self._repair_public()
        if moved:
            drop_resident_stories()
        if self._private:
            moved_private = self._repair_private(clusters)
            if moved_private:
                drop_private_stories()
            moved += moved_private
        count = len(self._public) + len(self._private)
        if moved:
            logger.info("stories_repaired items=%s moved=%s", count, moved)
        return moved

    def _repair_public(self) -> "tuple[list[Cluster], int]":
        """Regroup the public items. Return their clusters and how many items moved."""
        # numpy takes 0.3 s and 15 MiB, and of all processes only the worker ever repairs.
        from feeds.stories.grouping.linkage import cluster_all
        from feeds.stories.grouping.vectors import Vectors

        own = [document.id for document in self._public]
        known = Vectors({pk: self._vectors[pk] for pk in own if pk in self._vectors})
        clusters = cluster_all(self._public, known)
        groups = [_ids(cluster.documents) for cluster in clusters]
        current = _select(own, self._current)
        outside = self._outside(current)
        stories = continue_stories(groups, current, self._pinned, outside=outside)
        return clusters, self._move(stories, PUBLIC, is_public=True)

    def _outside(self, current: Mapping[int, int]) -> dict[int, int]:
        """{large story: number of its public items that are not in the window}"""
        inside = Counter(current.values())
        large = Story.objects.filter(last_at__gte=self._since, item_count__gt=MAX_DOCUMENTS // 2)
        rows = large.order_by().values_list("pk", "item_count")
        return {pk: count - inside[pk] for pk, count in rows if pk in inside}

    def _repair_private(self, clusters: "Sequence[Cluster]") -> int:
        """Regroup the items of each audience, wider audiences first. Return how many moved."""
        from feeds.stories.grouping.layer_similarity import Layer
        from feeds.stories.grouping.layers import group_layers

        audiences = all_audiences({document.source for document in self._private})
        own: dict[Audience, list[Document]] = {}
        for document in self._private:
            own.setdefault(audiences.of(document.source), []).append(document)
        order = [audience for audience in audiences.widest_first() if audience in own]
        place_of = {audience: place for place, audience in enumerate(order)}
        above = [
            [wider for wider in audiences.above(audience) if wider in own] for audience in order
        ]
        layers = [
            Layer(own[audience], [place_of[wider] for wider in all_wider])
            for audience, all_wider in zip(order, above, strict=True)
        ]
        story_ids = {n: self._story_of(cluster.documents) for n, cluster in enumerate(clusters)}
        moved = 0
        groups = group_layers(clusters, layers, self._vectors)
        for audience, wider, groups_of_layer in zip(order, above, groups, strict=True):
            stories = self._assign_ids(groups_of_layer, story_ids)
            visible = set().union(*(audiences.sources[other] for other in (audience, *wider)))
            in_sight = Q(source__in=visible) if audience else Q(source__subscriptions=None)
            moved += self._move(stories, PUBLIC | in_sight, is_public=False)
        refresh_stories({self._current[document.id] for document in self._private})
        return moved

    def _assign_ids(
        self, groups_of_layer: "Sequence[LayerGroup]", story_ids: dict[int, int]
    ) -> dict[int, int]:
        """Assign story ids to the groups of a layer: {item id: story id}.

        `story_ids` is {group number: story id}; new groups are added to it.
        """
        new = [group for group in groups_of_layer if group.is_new]
        current = _select(
            (pk for group in groups_of_layer for pk in _ids(group.documents)), self._current
        )
        stories = continue_stories(
            [_ids(group.documents) for group in new],
            _select((pk for group in new for pk in _ids(group.documents)), current),
            self._pinned,
            reserved=set(story_ids.values()),
            used={pk for item in self._current.items() if item[0] not in current for pk in item},
        )
        for group in groups_of_layer:
            ids = _ids(group.documents)
            if group.is_new:
                story_ids[group.group] = next(
                    (stories[pk] for pk in ids if pk in stories), self._current[ids[0]]
                )
            else:
                movable = (pk for pk in ids if pk not in self._pinned)
                stories.update(dict.fromkeys(movable, story_ids[group.group]))
        return stories

    def _story_of(self, documents: "Sequence[Document]") -> int:
        """The story of a public cluster: that of its first item that no person has moved."""
        ids = _ids(documents)
        return next(
            (self._current[pk] for pk in ids if pk not in self._pinned), self._current[ids[0]]
        )

    def _move(self, stories: Mapping[int, int], alive: Q, *, is_public: bool) -> int:
        """Move the items whose story changed, unless the lease was lost. Return how many."""
        moved = {pk: story for pk, story in stories.items() if self._current[pk] != story}
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


def _select(items: Iterable[int], stories: Mapping[int, Any]) -> dict[int, Any]:
    return {pk: stories[pk] for pk in items if pk in stories}
