"""What a person corrects by hand in the stories; it stays, whatever is grouped later.

Each takes the right to group away first, as whoever groups writes with that row locked:
in another order the two would wait for each other.
"""

from collections.abc import Iterable

from django.db import transaction

from feeds.coordination.revisions import CONTENT, revise
from feeds.models import Item, ItemKey, Story, StoryRedirect
from feeds.stories.grouping.group import redirect
from feeds.stories.grouping.lease import forget_state
from feeds.stories.grouping.refresh import refresh_stories


@transaction.atomic
def merge_stories(target: Story, others: Iterable[Story]) -> None:
    """Put the items of `others` into `target`; their addresses lead there."""
    forget_state()
    gone = [story.pk for story in others if story.pk != target.pk]
    Item.objects.filter(story__in=gone).update(story=target, story_pinned=True)
    Item.objects.filter(story=target).update(story_pinned=True)
    for pk in gone:
        redirect(pk, target.pk)
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
    refresh_stories([story.pk, new.pk])
    new.refresh_from_db()
    return new


@transaction.atomic
def move_item(item: Item, story: Story) -> None:
    """Put one item into another story; a story that is left empty leads there."""
    forget_state()
    old = item.story_id
    Item.objects.filter(pk=item.pk).update(story=story, story_pinned=True)
    refresh_stories([pk for pk in (old, story.pk) if pk])
    if old and old != story.pk and not Item.objects.filter(story=old).exists():
        redirect(old, story.pk)


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
    """Delete stories; their items are grouped anew."""
    forget_state()
    Story.objects.filter(pk__in=[story.pk for story in stories]).delete()
    revise(CONTENT)


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
