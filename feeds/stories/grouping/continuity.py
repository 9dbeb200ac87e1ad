"""Give regrouped items the ids of the stories that they continue. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from feeds.core.ids import TAIL_BITS


def continue_stories(
    groups: Sequence[Iterable[int]],
    current: Mapping[int, int],
    pinned: Collection[int] = (),
    reserved: Collection[int] = (),
    used: Collection[int] = (),
) -> dict[int, int]:
    """{item: story} for groups of item ids, where `current` says the story of each before.

    A story's id stays with the group that has most of it; each group has one id. A group
    that continues none is named after its first item whose id is free, or else by an id next to
    it. Items that a person put somewhere (`pinned`) stay there and count for no one. No group
    continues a `reserved` story, and none that begins a story gets a `used` id.
    """
    free = [[item for item in group if item not in pinned] for group in groups]
    overlaps = [
        (-count, story, number)
        for number, group in enumerate(free)
        for story, count in Counter(current[item] for item in group if item in current).items()
    ]
    names: dict[int, int] = {}
    taken = set(reserved)
    for _, story, number in sorted(overlaps):
        if number not in names and story not in taken:
            names[number] = story
            taken.add(story)
    taken.update(current.values(), used)
    items = {*current, *used}
    found = {}
    for number, group in enumerate(free):
        if not group:
            continue
        if number not in names:
            names[number] = name = _free_name(group, taken, items)
            taken.add(name)
        found.update(dict.fromkeys(group, names[number]))
    return found


def _free_name(group: Iterable[int], taken: Collection[int], items: Collection[int]) -> int:
    """Of the same second, and far from the ids that items of that second are given."""
    for item in sorted(group):
        if item not in taken:
            return item
    name = max(group) ^ (1 << (TAIL_BITS - 1))
    while name in taken or name in items:
        name += 1
    return name
