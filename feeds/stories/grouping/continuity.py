"""Match regrouped items with their previous stories, so that story ids stay stable. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from feeds.core.ids import TAIL_BITS
from feeds.stories.grouping.similarity import MAX_DOCUMENTS


def continue_stories(
    groups: Sequence[Iterable[int]],
    current: Mapping[int, int],
    pinned: Collection[int] = (),
    reserved: Collection[int] = (),
    used: Collection[int] = (),
    outside: Mapping[int, int] | None = None,
) -> dict[int, int]:
    """Assign a story id to each group: {item id: story id}.

    `groups` are lists of item ids, `current` is the previous {item id: story id}. A group keeps
    the id of the story with which it shares the most items, and each id goes to one group only. A
    group that continues no story gets the id of its first item, or an id near it if those are
    taken. Items that a person moved (`pinned`) are left out. No group gets a `reserved` story id,
    and new stories do not get `used` ids. `outside` is {story: number of its other items}; a group
    does not continue a story that would have more than MAX_DOCUMENTS with them.
    """
    others = outside or {}
    movable = [[item for item in group if item not in pinned] for group in groups]
    overlaps = [
        (-count, story, number)
        for number, group in enumerate(movable)
        for story, count in Counter(current[item] for item in group if item in current).items()
    ]
    story_ids: dict[int, int] = {}
    taken = set(reserved)
    for _, story, number in sorted(overlaps):
        has_room = len(movable[number]) + others.get(story, 0) <= MAX_DOCUMENTS
        if has_room and number not in story_ids and story not in taken:
            story_ids[number] = story
            taken.add(story)
    taken.update(current.values(), used)
    items = {*current, *used}
    assigned = {}
    for number, group in enumerate(movable):
        if not group:
            continue
        if number not in story_ids:
            story_ids[number] = story_id = _free_id(group, taken, items)
            taken.add(story_id)
        assigned.update(dict.fromkeys(group, story_ids[number]))
    return assigned


def _free_id(group: Iterable[int], taken: Collection[int], items: Collection[int]) -> int:
    """An unused id of the same second. It is far from the ids that new items of it will get."""
    for item in sorted(group):
        if item not in taken:
            return item
    story_id = max(group) ^ (1 << (TAIL_BITS - 1))
    while story_id in taken or story_id in items:
        story_id += 1
    return story_id
