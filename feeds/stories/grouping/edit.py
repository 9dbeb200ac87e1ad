"""What a person corrects by hand in the stories; it stays, whatever is grouped later.

Each takes the right to group away first, as whoever groups writes with that row locked:
in another order the two would wait for each other.
"""

from collections.abc import Iterable

from django.db import transaction

from feeds.coordination.revisions import CONTENT, bump_revision
from feeds.models import Item, ItemKey, Story, StoryRedirect, StorySplit
from feeds.stories.grouping.lease import forget_state
from feeds.stories.grouping.moves import PUBLIC, close_story
from feeds.stories.grouping.refresh import refresh_stories


@transaction.atomic
def merge_stories(target: Story, others: Iterable[Story]) -> None:
    """Put the items of `others` into `target`; their addresses lead there."""
    forget_state()
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
    """Take `items` out of `story` into one of their own.

    Raises ValueError when they are none of its items, or all of them.
    """
    forget_state()
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
    StoryRedirect.objects.filter(old_id=pk).delete()  # it may have been merged before
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
    """Put one item into another story; a story that is left empty leads there, as does one that
    is left without a public item."""
    forget_state()
    old = item.story_id
    was_public = Item.objects.filter(PUBLIC, story=old).exists()
    Item.objects.filter(pk=item.pk).update(story=story, story_pinned=True)
    StorySplit.objects.filter(item=item, story=story).delete()
    refresh_stories([pk for pk in (old, story.pk) if pk])
    if old and old != story.pk and not _is_left(old, was_public):
        close_story(old, story.pk, is_public=was_public)


def _is_left(story: int, is_public: bool) -> bool:
    items = Item.objects.filter(story=story)
    return (items.filter(PUBLIC) if is_public else items).exists()


@transaction.atomic
def delete_items(items: Iterable[Item]) -> None:
    """Delete items for good: the ledger remembers them, so that they do not come back.
    A story that is left empty goes with them."""
    forget_state()
    pks = [item.pk for item in items]
    stories = set(Item.objects.filter(pk__in=pks).values_list("story", flat=True)) - {None}
    ItemKey.objects.filter(item_id__in=pks).update(item_id=None)
    Item.objects.filter(copy_of__in=pks).update(copy_of=None)
    Item.objects.filter(pk__in=pks).delete()
    Story.objects.filter(pk__in=stories, items=None).delete()
    refresh_stories(stories)


@transaction.atomic
def delete_stories(stories: Iterable[Story]) -> None:
    """Delete stories; their items are grouped anew, but not into a story that a person took them
    out of."""
    forget_state()
    Story.objects.filter(pk__in=[story.pk for story in stories]).delete()
    bump_revision(CONTENT)


def _free_id(item_ids: Iterable[int]) -> int:
    """The least item id that names no story; ids next to it are free beyond doubt."""
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
def visibility_changed(sources: Iterable[int]) -> None:
    """These sources became public or private: the rows of their stories say of their items what
    everybody may know. Call it after the change."""
    forget_state()
    stories = Item.objects.filter(source__in=list(sources)).exclude(story=None).order_by()
    refresh_stories(stories.values_list("story", flat=True).distinct())
