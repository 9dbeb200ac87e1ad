"""The present states of items and stories, for pages that show them already."""

from collections import defaultdict
from collections.abc import Collection
from functools import partial
from typing import NamedTuple

from accounts.models import User
from feeds.models import FollowedStory, Item, ItemState, Story
from feeds.models.narrow import among, fetch
from feeds.reading.river import unread_horizon
from feeds.stories.coverage import is_unread, settle_copies
from feeds.stories.members import Member, last_read, members_of


class State(NamedTuple):
    is_read: bool
    is_saved: bool
    is_hidden: bool
    is_followed: bool = False


_ITEMS = (
    "SELECT i.id, i.seq, s.read_up_to, t.is_read, t.is_saved, t.is_hidden"
    " FROM feeds_item i JOIN feeds_source c ON c.id = i.source_id"
    " LEFT JOIN feeds_subscription s ON s.source_id = i.source_id AND s.user_id = %s"
    " LEFT JOIN feeds_itemstate t ON t.item_id = i.id AND t.user_id = %s"
    " WHERE (c.is_public OR s.id IS NOT NULL OR t.is_saved) AND {}"
)


def item_states(user: User, ids: Collection[int]) -> dict[int, State]:
    """{item: its state}, of those that the reader can see. Read is as in `attach_states`."""
    if not ids:
        return {}
    is_wanted, values = among("i.id", ids)
    horizon = unread_horizon()
    states = {}
    for pk, seq, read_up_to, is_read, is_saved, is_hidden in fetch(
        _ITEMS.format(is_wanted), [user.pk, user.pk, *values]
    ):
        if is_read is None:
            is_read = seq <= (read_up_to or 0) or pk < horizon
        states[pk] = State(bool(is_read), bool(is_saved), bool(is_hidden))
    return states


def marked_items(user: User, ids: Collection[int]) -> dict[str, set[int]]:
    """The items among `ids` with each mark, by its name: read, saved, hidden, less."""
    states = item_states(user, ids)
    disliked = ItemState.objects.filter(user=user, item__in=ids, is_disliked=True)
    return {
        "read": {pk for pk, state in states.items() if state.is_read},
        "saved": {pk for pk, state in states.items() if state.is_saved},
        "hidden": {pk for pk, state in states.items() if state.is_hidden},
        "less": set(disliked.values_list("item", flat=True)),
    }


def story_states(user: User, ids: Collection[int]) -> dict[int, State]:
    """{story: its state}, of those with items that the reader can see.

    They are those of the rows of the front page: of sources that the reader follows, and of items
    that are not hidden. A story is hidden if all its items are.
    """
    stories = Story.objects.filter(pk__in=ids).only(
        "pk", "title", "lead_id", "first_at", "item_count", "title_pinned"
    )
    by_id = {story.pk: story for story in stories} if ids else {}
    if not by_id:
        return {}
    members: defaultdict[int, list[Member]] = defaultdict(list)
    for member in members_of(user, by_id.values()):
        members[member.story_id].append(member)
    read_at = last_read(user, by_id.values())
    followed = FollowedStory.objects.filter(user=user, story__in=[*by_id])
    is_followed = set(followed.values_list("story", flat=True))
    shown = {pk: _shown(own) for pk, own in members.items()}
    visible = partial(Item.objects.visible_to, user)
    everything = [member for own in shown.values() for member in own]
    settle_copies(everything, visible, {member.pk for own in members.values() for member in own})
    return {
        pk: State(
            not is_unread(own, read_at.get(pk)),
            any(member.is_saved for member in own),
            all(member.is_hidden for member in members[pk]),
            pk in is_followed,
        )
        for pk, own in shown.items()
    }


def _shown(members: list[Member]) -> list[Member]:
    """The members that a row shows. A story without any was hidden, or its sources unfollowed."""
    own = [member for member in members if member.own_name is not None and not member.is_hidden]
    return own or members
