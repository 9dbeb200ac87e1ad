"""Manual corrections of stories. Later grouping does not undo them.

Each function invalidates the grouping lease first. The grouping task locks that row before it
writes stories, so any other order could deadlock.
"""

from collections.abc import Iterable

from django.db import transaction

from feeds.coordination.revisions import CONTENT, bump_revision
from feeds.models import Item, ItemKey, Story, StoryRedirect, StorySplit
from feeds.stories.grouping.lease import invalidate_grouping
from feeds.stories.grouping.moves import PUBLIC, close_story
from feeds.stories.grouping.refresh import refresh_stories


@transaction.atomic
def merge_stories(target: Story, others: Iterable[Story]) -> None:
    """Merge `others` into `target`. The URLs of `others` redirect to it."""
    invalidate_grouping()
    gone = [story.pk for story in others if story.pk != target.pk]
    public = set(Item.objects.filter(PUBLIC, story__in=gone).values_list("story", flat=True))
    StorySplit.objects.filter(story=target, item__story__in=gone).delete()
    StorySplit.objects.filter(story__in=gone, item__story=target).delete()
    Item.objects.filter(story__in=gone).update(story=target, story_pinned=True)
    Item.objects.filter(story=target).update(story_pinned=True)
    for pk in gone:
        close_story(pk, target.pk, is_public=pk in public)
    refresh_stories([target.pk])


@transaction.atomic
def split_story(story: Story, items: Iterable[Item]) -> Story:
    """Move `items` of `story` into a new story.

    Raises ValueError if none of them belongs to the story, or if no item would be left in it.
    """
    invalidate_grouping()
    pks = sorted(item.pk for item in items if item.story_id == story.pk)
    rest = Item.objects.filter(story=story).exclude(pk__in=pks)
    if not pks:
        raise ValueError("None of these items belongs to the story.")
    if not rest.exists():
        raise ValueError("At least one item must stay in the story.")
    pk = _free_id(pks)
    first = Item.objects.get(pk=pks[0])
    new = Story(pk=pk, title=first.title, first_at=first.published_at, last_at=first.published_at)
    new.save(force_insert=True)
    StoryRedirect.objects.filter(old_id=pk).delete()  # left by an earlier merge
    rest.update(story_pinned=True)
    Item.objects.filter(pk__in=pks).update(story=new, story_pinned=True)
    StorySplit.objects.bulk_create(
        [StorySplit(item_id=pk, story=story) for pk in pks], ignore_conflicts=True
    )
    refresh_stories([story.pk, new.pk])
    new.refresh_from_db()
    return new


@transaction.atomic
def move_item(item: Item, story: Story) -> None:
    """Move one item into another story.

    If the old story has no items left, or no public items any more, its URL redirects to `story`.
    """
    invalidate_grouping()
    old = item.story_id
    was_public = Item.objects.filter(PUBLIC, story=old).exists()
    Item.objects.filter(pk=item.pk).update(story=story, story_pinned=True)
    StorySplit.objects.filter(item=item, story=story).delete()
    refresh_stories([pk for pk in (old, story.pk) if pk])
    if old and old != story.pk and not _has_items(old, was_public):
        close_story(old, story.pk, is_public=was_public)


def _has_items(story: int, is_public: bool) -> bool:
    items = Item.objects.filter(story=story)
    return (items.filter(PUBLIC) if is_public else items).exists()


@transaction.atomic
def delete_items(items: Iterable[Item]) -> None:
    """Delete items permanently, and stories without other items.

    The ledger keeps their keys, so that the next poll does not add them again.
    """
    invalidate_grouping()
    pks = [item.pk for item in items]
    stories = set(Item.objects.filter(pk__in=pks).values_list("story", flat=True)) - {None}
    ItemKey.objects.filter(item_id__in=pks).update(item_id=None)
    Item.objects.filter(copy_of__in=pks).update(copy_of=None)
    Item.objects.filter(pk__in=pks).delete()
    Story.objects.filter(pk__in=stories, items=None).delete()
    refresh_stories(stories)


@transaction.atomic
def delete_stories(stories: Iterable[Story]) -> None:
    """Delete stories. Their items are grouped again, but not into stories from which a person
    removed them."""
    invalidate_grouping()
    Story.objects.filter(pk__in=[story.pk for story in stories]).delete()
    bump_revision(CONTENT)


def _free_id(item_ids: Iterable[int]) -> int:
    """The lowest of the item ids that no story has, or else the next unused id."""
    ids = list(item_ids)
    taken = set(Story.objects.filter(pk__in=ids).values_list("pk", flat=True))
    free = next((pk for pk in ids if pk not in taken), None)
    if free is not None:
        return free
    candidate = max(ids) + 1
    while Story.objects.filter(pk=candidate).exists():
        candidate += 1
    return candidate


@transaction.atomic
def refresh_visibility(sources: Iterable[int]) -> None:
    """Refresh the stories of sources that became public or private.

    Story rows may only contain what everybody can see. Call this after the change.
    """
    invalidate_grouping()
    stories = Item.objects.filter(source__in=list(sources)).exclude(story=None).order_by()
    refresh_stories(stories.values_list("story", flat=True).distinct())
