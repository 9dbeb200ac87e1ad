"""Group new items into stories as they arrive, and repair the stories every hour."""

import logging
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from django.db import connection, transaction

from accounts.models import User
from ainews_site.infra import db_clock
from ainews_site.infra.process_state import resets_process_state
from feeds.ai.embed.provider import is_chosen
from feeds.coordination.lease import Held
from feeds.coordination.revisions import GROUPING, revise
from feeds.core.ids import lowest_id
from feeds.models import FollowedStory, Item, Story, StoryRedirect
from feeds.stories.grouping.continuity import continue_stories
from feeds.stories.grouping.lease import grouping_lease
from feeds.stories.grouping.meaning import encode, meanings, texts_of
from feeds.stories.grouping.online import Assignment, Grouper
from feeds.stories.grouping.refresh import refresh_stories
from feeds.stories.grouping.similarity import WINDOW
from feeds.stories.grouping.tokenizer import Document, make_document

logger = logging.getLogger(__name__)

BATCH = 1_000
RESIDENT = timedelta(days=7)
"""Stories of the last days stay in memory; what is older is grouped near its own time."""
REPAIRED = timedelta(seconds=WINDOW)
MOST_NEIGHBOURS = 5_000
"""Items of an archive's days that are read to group some more of it."""
MOST_RESIDENT = 125_000
SEEDED = 5_000
"""Items that are read at a time, as what is kept of each is much smaller."""
MOST_ENCODED = 256
"""New items of one batch whose vectors grouping waits for."""
_COLUMNS = ("pk", "published_at", "source_id", "title", "summary", "url")


class _State:
    """The resident stories of this process; None when they must be read."""

    def __init__(self) -> None:
        self.grouper: Grouper | None = None


_state = _State()


@resets_process_state
def forget_resident_stories() -> None:
    _state.grouper = None


def group_new_items(limit: int = BATCH, now: datetime | None = None) -> int:
    """Put all items without a story into one, `limit` at a time; how many were.

    Does nothing while another process groups: that one takes these items along, or
    the next call does.
    """
    now = now or db_clock.now()
    done = 0
    with grouping_lease() as held:
        if held is None:
            return 0
        if not held.was_mine:
            _state.grouper = None
        archive = _Archive()
        try:
            while held.renew() and (grouped := _group_batch(limit, now, archive, held)):
                done += grouped
        except BaseException:
            _state.grouper = None  # it may know of stories that nobody wrote
            raise
    return done


def _group_batch(limit: int, now: datetime, archive: "_Archive", held: Held) -> int:
    """The oldest items first: those of an archive come in the order of their time."""
    new = Item.objects.filter(story=None).order_by("id")
    rows = list(new.values_list(*_COLUMNS)[:limit])
    documents = [_document(row) for row in rows]
    border = (now - RESIDENT).timestamp()
    old = [document for document in documents if document.time < border]
    recent = [document for document in documents if document.time >= border]
    vectors = _meanings_of_new(rows, border)
    found = archive.assign(old) | _group_recent(recent, now, vectors)
    if found and not _write(found, held):
        return 0
    return len(documents)


def _document(row: Sequence[object]) -> Document:
    pk, published, source, title, summary, url = row
    assert isinstance(published, datetime)
    return make_document(int(pk), published.timestamp(), int(source), title, summary, url)  # type: ignore[call-overload, arg-type]


def _meanings_of_new(rows: Sequence[Sequence[Any]], border: float) -> dict[int, Any]:
    """Those of an archive are grouped by words. Of many only some are encoded at once, so
    that polls need not wait: the next repair encodes the others."""
    texts = texts_of(row for row in rows if row[1].timestamp() >= border)
    encode(dict(islice(texts.items(), MOST_ENCODED)))
    return meanings(texts)


def _group_recent(
    documents: Sequence[Document], now: datetime, vectors: dict[int, Any]
) -> dict[int, Assignment]:
    if not documents:
        return {}
    if _state.grouper is None or not _state.grouper.takes(vectors):
        _state.grouper = Grouper()
        _seed(_state.grouper, lowest_id(now - RESIDENT), None, MOST_RESIDENT, with_meaning=True)
    grouper = _state.grouper
    grouper.forget_before((now - RESIDENT).timestamp())
    return grouper.assign_all(documents, vectors)


class _Archive:
    """Groups old items in order of time, with the stories of a sliding window in memory."""

    def __init__(self) -> None:
        self._grouper = Grouper()
        self._seeded = -math.inf

    def assign(self, documents: Sequence[Document]) -> dict[int, Assignment]:
        if not documents:
            return {}
        start, end = documents[0].time - WINDOW, documents[-1].time + WINDOW
        self._grouper.forget_before(start)
        lowest, highest = max(start, self._seeded), end
        _seed(self._grouper, _id_at(lowest), _id_at(highest), MOST_NEIGHBOURS)
        self._seeded = end
        return self._grouper.assign_all(documents)


def _id_at(seconds: float) -> int:
    return lowest_id(datetime.fromtimestamp(seconds, tz=UTC))


def _seed(
    grouper: Grouper, lowest: int, highest: int | None, most: int, *, with_meaning: bool = False
) -> None:
    """Read the stories between two ids into memory, the newest where there are too many."""
    items = Item.objects.filter(pk__gte=lowest).exclude(story=None)
    if highest is not None:
        items = items.filter(pk__lt=highest)
    too_many = items.newest_first().values_list("pk", flat=True)[most : most + 1]
    last = next(iter(too_many), lowest - 1)
    while rows := list(
        items.filter(pk__gt=last).order_by("pk").values_list(*_COLUMNS, "story_id")[:SEEDED]
    ):
        known = [(_document(row[:-1]), row[-1]) for row in rows]
        grouper.put_all(known, meanings(texts_of(rows)) if with_meaning else {})
        last = rows[-1][0]


@transaction.atomic
def _write(found: dict[int, Assignment], held: Held) -> bool:
    """One transaction, which keeps the lease to its end; False when another has it now."""
    if not held.renew():
        _state.grouper = None  # it knows of stories that nobody wrote
        return False
    stories = {assignment.story for assignment in found.values()}
    rows = [(one.story, one.copy_of, item) for item, one in found.items()]
    with connection.cursor() as cursor:
        cursor.executemany("UPDATE feeds_item SET story_id = %s, copy_of = %s WHERE id = %s", rows)
    refresh_stories(stories)
    return True


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
        changed = _repair(held, now)
        if changed:
            _state.grouper = None
    return changed


def _encode_recent(now: datetime) -> None:
    """What came while there was no model, in too large a number, or before another model.
    It may take minutes, so nobody is kept from grouping."""
    if is_chosen():
        items = Item.objects.filter(pk__gte=lowest_id(now - REPAIRED)).exclude(story=None)
        encode(texts_of(items.values_list(*_COLUMNS)))


def _repair(held: Held, now: datetime) -> int:
    # numpy takes 0.3 s and 15 MiB, and of all processes only the worker ever repairs.
    from feeds.stories.grouping.linkage import group_all

    items = Item.objects.filter(pk__gte=lowest_id(now - REPAIRED)).exclude(story=None)
    rows = list(items.values_list(*_COLUMNS, "story_id", "story_pinned"))
    documents = [_document(row[:-2]) for row in rows]
    vectors = meanings(texts_of(rows))
    current = {row[0]: row[-2] for row in rows}
    pinned = {row[0] for row in rows if row[-1]}
    groups = [[document.id for document in group] for group in group_all(documents, vectors)]
    found = continue_stories(groups, current, pinned)
    moved = {item: story for item, story in found.items() if current[item] != story}
    with transaction.atomic():
        if not moved or not held.renew():
            return 0
        move_items(moved, current)
    logger.info("stories_repaired items=%s moved=%s", len(rows), len(moved))
    return len(moved)


@transaction.atomic
def move_items(moved: dict[int, int], current: dict[int, int]) -> None:
    """Write new stories of items. A story that lost all its items redirects to the one
    that has most of them now."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE feeds_item SET story_id = %s WHERE id = %s",
            [(story, item) for item, story in moved.items()],
        )
    StoryRedirect.objects.filter(old_id__in=set(moved.values())).delete()
    revise(GROUPING)
    before = {current[item] for item in moved if current.get(item)}
    refresh_stories(before | set(moved.values()))
    alive = set(Item.objects.filter(story__in=before).values_list("story", flat=True))
    for story in before - alive:
        heirs = [moved[item] for item, old in current.items() if old == story and item in moved]
        redirect(story, max(sorted(set(heirs)), key=heirs.count))


def redirect(old: int, story: int) -> None:
    """Let the address of `old`, which has no items any more, lead to `story`."""
    StoryRedirect.objects.filter(story=old).update(story=story)
    followers = FollowedStory.objects.filter(story=old)
    already = FollowedStory.objects.filter(story=story).values("user")
    moved = list(followers.exclude(user__in=already).values_list("user", flat=True))
    followers.filter(user__in=moved).update(story=story)
    User.have_changed(moved)
    StoryRedirect.objects.update_or_create(old_id=old, defaults={"story_id": story})
    Story.objects.filter(pk=old).delete()
