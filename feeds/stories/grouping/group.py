"""Group new items into stories as they arrive: first the public ones, then each audience's."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import connection, transaction

from ainews_site.infra import db_clock
from ainews_site.infra.process_state import resets_process_state
from feeds.coordination.lease import Held
from feeds.models import Item, StoryRedirect, StorySplit
from feeds.models.item import ItemQuerySet
from feeds.stories.grouping.audience import Audience, Audiences, audiences_of
from feeds.stories.grouping.documents import COLUMNS, document_of
from feeds.stories.grouping.lease import grouping_lease
from feeds.stories.grouping.meaning import encode, meanings, texts_of
from feeds.stories.grouping.online import Assignment, Vectors
from feeds.stories.grouping.refresh import refresh_stories
from feeds.stories.grouping.residents import RESIDENT, Archive, Residents
from feeds.stories.grouping.tokenizer import Document

BATCH = 1_000
MOST_ENCODED = 256
"""New items of one batch whose vectors grouping waits for."""

_residents = Residents()


def group_new_items(limit: int = BATCH, now: datetime | None = None) -> int:
    """Put all items without a story into one, `limit` at a time; how many were.

    Does nothing while another process groups: that one takes these items along, or
    the next call does.
    """
    now = now or db_clock.now()
    with grouping_lease() as held:
        if held is None:
            return 0
        if not held.was_mine:
            _residents.forget()
        try:
            return _group_all(limit, now, held)
        except BaseException:
            _residents.forget()  # they may know of stories that nobody wrote
            raise


@resets_process_state
def forget_resident_stories() -> None:
    """Read the stories anew before the next item is grouped."""
    _residents.forget()


def forget_private_stories() -> None:
    """The same of private stories alone."""
    _residents.forget_private()


def _group_all(limit: int, now: datetime, held: Held) -> int:
    """Public items are read, and put into batches, as if there were no others."""
    done = 0
    for is_public, group in ((True, _group_public), (False, _group_private)):
        archive = Archive()
        new = Item.objects.filter(story=None, source__is_public=is_public)
        while held.renew() and (batch := _Batch(new, limit, now)):
            found = group(batch, now, archive)
            if not _write(found, held):
                break
            if batch.barred:  # such an item may open a story whose name led elsewhere
                used = {assignment.story for assignment in found.values()}
                StoryRedirect.objects.filter(old_id__in=used).delete()
            done += len(batch)
    _residents.trim()
    return done


class _Batch:
    """The oldest new items first: those of an archive come in the order of their time.

    Items of an archive are grouped by words. Of many recent ones only some are encoded at once,
    so that polls need not wait: the next repair encodes the others.
    """

    def __init__(self, items: ItemQuerySet, limit: int, now: datetime) -> None:
        columns = (*COLUMNS, "story_pinned")
        rows = list(items.order_by("id").values_list(*columns)[:limit])
        documents = [document_of(row) for row in rows]
        border = (now - RESIDENT).timestamp()
        self.old = [document for document in documents if document.time < border]
        self.recent = [document for document in documents if document.time >= border]
        self.barred = _barred(row[0] for row in rows if row[-1])
        texts = texts_of(row for row in rows if row[1].timestamp() >= border)
        encode(dict(islice(texts.items(), MOST_ENCODED)))
        self.vectors: Vectors = meanings(texts)

    def __len__(self) -> int:
        return len(self.old) + len(self.recent)


def _barred(pinned: Iterable[int]) -> dict[int, set[int]]:
    """The stories that a person took these items out of, whose own story is gone."""
    items = list(pinned)
    found: defaultdict[int, set[int]] = defaultdict(set)
    if items:
        splits = StorySplit.objects.filter(item__in=items)
        for item, story in splits.values_list("item", "story"):
            found[item].add(story)
    return found


def _group_public(batch: _Batch, now: datetime, archive: Archive) -> dict[int, Assignment]:
    found = archive.assign_public(batch.old, batch.barred)
    if batch.recent:
        grouper = _residents.public(batch.vectors, now)
        found |= grouper.assign_all(batch.recent, batch.vectors, batch.barred)
    return found


def _group_private(batch: _Batch, now: datetime, archive: Archive) -> dict[int, Assignment]:
    """Wider audiences first, as others may join their stories."""
    audiences = audiences_of({one.source for one in (*batch.old, *batch.recent)})
    old, recent = _by_audience(batch.old, audiences), _by_audience(batch.recent, audiences)
    found: dict[int, Assignment] = {}
    for audience in audiences.widest_first():
        found |= archive.assign_private(batch.old, audience, audiences, old[audience], batch.barred)
        if documents := recent[audience]:
            vectors = _vectors_of(documents, batch.vectors)
            grouper = _residents.private(audience, audiences, vectors, now)
            found |= grouper.assign_all(documents, vectors, batch.barred)
    return found


def _by_audience(
    documents: Sequence[Document], audiences: Audiences
) -> defaultdict[Audience, list[Document]]:
    found: defaultdict[Audience, list[Document]] = defaultdict(list)
    for document in documents:
        found[audiences.of(document.source)].append(document)
    return found


def _vectors_of(documents: Sequence[Document], vectors: Vectors) -> dict[int, Any]:
    return {one.id: vectors[one.id] for one in documents if one.id in vectors}


@transaction.atomic
def _write(found: dict[int, Assignment], held: Held) -> bool:
    """One transaction, which keeps the lease to its end; False when another has it now."""
    if not held.renew():
        _residents.forget()  # they know of stories that nobody wrote
        return False
    rows = [(one.story, one.copy_of, item) for item, one in found.items()]
    with connection.cursor() as cursor:
        cursor.executemany("UPDATE feeds_item SET story_id = %s, copy_of = %s WHERE id = %s", rows)
    refresh_stories({assignment.story for assignment in found.values()})
    return True
