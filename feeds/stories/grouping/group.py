"""Group new items into stories: first the public items, then those of each audience."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import connection, transaction

from ainews_site.infra import db_clock
from ainews_site.infra.metrics import GROUPING_ITEMS, GROUPING_SECONDS
from ainews_site.infra.process_state import resets_process_state
from ainews_site.infra.stopping import is_stopping, leave_rest
from feeds.coordination.lease import Held
from feeds.models import Item, StoryRedirect, StorySplit
from feeds.models.item import ItemQuerySet
from feeds.stories.grouping.audience import Audience, Audiences, audiences_of
from feeds.stories.grouping.documents import COLUMNS, document_of
from feeds.stories.grouping.embeddings import embed_missing, texts_of, vectors_for
from feeds.stories.grouping.groupers import RESIDENT_FOR, ArchiveGroupers, Groupers
from feeds.stories.grouping.lease import grouping_lease
from feeds.stories.grouping.online import Assignment, Vectors
from feeds.stories.grouping.refresh import create_single_stories, refresh_stories
from feeds.stories.grouping.tokenizer import Document

BATCH = 1_000
MAX_ENCODED = 256
"""New items of a batch that are embedded before grouping. The repair embeds the others."""
IDS_AT_ONCE = 500
"""Items that one statement updates."""

_groupers = Groupers()


def group_new_items(limit: int = BATCH, now: datetime | None = None) -> int:
    """Assign all items without a story, in batches of `limit`. Return how many were assigned.

    Does nothing while another process is grouping, and stops after a batch when this process is
    asked to. That process, or the next call, assigns these items.
    """
    now = now or db_clock.now()
    with grouping_lease() as held:
        if held is None:
            return 0
        if not held.was_mine:
            _groupers.clear()
        try:
            return _group_all(limit, now, held)
        except BaseException:
            _groupers.clear()  # they may have stories that were not written
            raise


@resets_process_state
def drop_resident_stories() -> None:
    """Drop the groupers from memory. The next call reads the stories again."""
    _groupers.clear()


def drop_private_stories() -> None:
    """Drop the groupers of private items from memory."""
    _groupers.clear_private()


def _group_all(limit: int, now: datetime, held: Held) -> int:
    """Group public items, then private ones. Private items never affect public batches."""
    count = 0
    for is_public, group in ((True, _group_public), (False, _group_private)):
        archive = ArchiveGroupers()
        new = Item.objects.filter(story=None, source__is_public=is_public)
        started = time.monotonic()
        while held.renew() and (batch := _Batch(new, limit, now)):
            if is_stopping():
                leave_rest()
                break
            if not batch.old:  # batches are in order of time
                archive.clear()
            assignments = group(batch, now, archive)
            if not _write(assignments, held):
                break
            if batch.excluded:  # a new story may have an id that redirected elsewhere
                used = {assignment.story for assignment in assignments.values()}
                StoryRedirect.objects.filter(old_id__in=used).delete()
            count += len(batch)
            GROUPING_ITEMS.observe(len(batch))
            GROUPING_SECONDS.observe(time.monotonic() - started)
            started = time.monotonic()
    _groupers.trim()
    return count


class _Batch:
    """The next items to group, oldest first.

    `old` are older than RESIDENT_FOR: they come from archives and are grouped by terms only.
    `recent` items are embedded too, but at most MAX_ENCODED of them, so that polls do not wait.
    """

    def __init__(self, items: ItemQuerySet, limit: int, now: datetime) -> None:
        columns = (*COLUMNS, "story_pinned")
        rows = list(items.order_by("id").values_list(*columns)[:limit])
        documents = [document_of(row) for row in rows]
        limit_time = (now - RESIDENT_FOR).timestamp()
        self.old = [document for document in documents if document.time < limit_time]
        self.recent = [document for document in documents if document.time >= limit_time]
        self.excluded = _excluded_stories(row[0] for row in rows if row[-1])
        texts = texts_of(row for row in rows if row[1].timestamp() >= limit_time)
        embed_missing(dict(islice(texts.items(), MAX_ENCODED)))
        self.vectors: Vectors = vectors_for(texts)

    def __len__(self) -> int:
        return len(self.old) + len(self.recent)


def _excluded_stories(pinned: Iterable[int]) -> dict[int, set[int]]:
    """{item id: stories from which a person removed the item}"""
    items = list(pinned)
    stories: defaultdict[int, set[int]] = defaultdict(set)
    if items:
        splits = StorySplit.objects.filter(item__in=items)
        for item, story in splits.values_list("item", "story"):
            stories[item].add(story)
    return stories


def _group_public(batch: _Batch, now: datetime, archive: ArchiveGroupers) -> dict[int, Assignment]:
    assignments = archive.assign_public(batch.old, batch.excluded)
    if batch.recent:
        grouper = _groupers.public(batch.vectors, now)
        assignments |= grouper.assign_all(batch.recent, batch.vectors, batch.excluded)
    return assignments


def _group_private(batch: _Batch, now: datetime, archive: ArchiveGroupers) -> dict[int, Assignment]:
    """Group wider audiences first, because narrower ones may join their stories."""
    audiences = audiences_of({document.source for document in (*batch.old, *batch.recent)})
    old, recent = _by_audience(batch.old, audiences), _by_audience(batch.recent, audiences)
    assignments: dict[int, Assignment] = {}
    for audience in audiences.widest_first():
        assignments |= archive.assign_private(
            batch.old, audience, audiences, old[audience], batch.excluded
        )
        if documents := recent[audience]:
            vectors = _vectors_of(documents, batch.vectors)
            grouper = _groupers.private(audience, audiences, vectors, now)
            assignments |= grouper.assign_all(documents, vectors, batch.excluded)
    return assignments


def _by_audience(
    documents: Sequence[Document], audiences: Audiences
) -> defaultdict[Audience, list[Document]]:
    groups: defaultdict[Audience, list[Document]] = defaultdict(list)
    for document in documents:
        groups[audiences.of(document.source)].append(document)
    return groups


def _vectors_of(documents: Sequence[Document], vectors: Vectors) -> dict[int, Any]:
    return {document.id: vectors[document.id] for document in documents if document.id in vectors}


@transaction.atomic
def _write(assignments: dict[int, Assignment], held: Held) -> bool:
    """Write the assignments in one transaction. Return False if the lease was lost."""
    if not held.renew():
        _groupers.clear()  # they have stories that were not written
        return False
    if assignments:
        _write_items(assignments)
        _write_stories(assignments)
    return True


def _write_items(assignments: dict[int, Assignment]) -> None:
    """Write the stories of items. Most items start one, and have a statement in common."""
    started = [pk for pk, assigned in assignments.items() if assigned == Assignment(pk)]
    others = assignments.keys() - set(started)
    rows = [(assignments[pk].story, assignments[pk].copy_of, pk) for pk in sorted(others)]
    with connection.cursor() as cursor:
        for start in range(0, len(started), IDS_AT_ONCE):
            numbers = ", ".join(map(str, started[start : start + IDS_AT_ONCE]))
            cursor.execute(
                "UPDATE feeds_item SET story_id = id, copy_of = NULL"  # noqa: S608 - numbers
                f" WHERE id IN ({numbers})"
            )
        cursor.executemany("UPDATE feeds_item SET story_id = %s, copy_of = %s WHERE id = %s", rows)


def _write_stories(assignments: dict[int, Assignment]) -> None:
    """Create the rows of new stories of one item, which are most, and refresh the others."""
    sizes = Counter(assignment.story for assignment in assignments.values())
    single = [item for item, assigned in assignments.items() if sizes[assigned.story] == 1]
    started = [item for item in single if assignments[item].story == item]
    created = create_single_stories(started)
    refresh_stories(sizes.keys() - created)
