"""Move items between stories. The URL of a story that becomes empty redirects to another one."""

from collections.abc import Mapping

from django.db import connection, transaction
from django.db.models import Q

from accounts.models import User
from feeds.coordination.revisions import GROUPING, bump_revision
from feeds.models import FollowedStory, Item, Story, StoryRedirect, StorySplit
from feeds.stories.grouping.refresh import refresh_stories

PUBLIC = Q(source__is_public=True)


@transaction.atomic
def move_items(
    moved: Mapping[int, int], current: Mapping[int, int], remaining: Q, *, is_public: bool
) -> dict[int, int]:
    """Write the new stories of items, `moved` = {item id: story id}. `current` are the old ones.

    An old story without items that match `remaining` is closed: its other items follow the majority
    of the moved ones, and its URL redirects there. Returns {closed story: its target}.
    """
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE feeds_item SET story_id = %s WHERE id = %s",
            [(story, item) for item, story in moved.items()],
        )
    StoryRedirect.objects.filter(old_id__in=set(moved.values())).delete()
    bump_revision(GROUPING)
    before = {current[item] for item in moved if current.get(item)}
    refresh_stories(before | set(moved.values()))
    left = set(Item.objects.filter(remaining, story__in=before).values_list("story", flat=True))
    closed = {}
    for story in sorted(before - left):
        heirs = [moved[item] for item, old in current.items() if old == story and item in moved]
        closed[story] = max(sorted(set(heirs)), key=heirs.count)
        close_story(story, closed[story], is_public=is_public)
    return closed


def close_story(old: int, story: int, *, is_public: bool) -> None:
    """Replace story `old` by `story`: move its items and followers, and add a redirect.

    `is_public` is whether the old story was public, so that everybody may use the redirect.
    """
    Item.objects.filter(story=old).update(story=story)
    StoryRedirect.objects.filter(story=old).update(story=story)
    already = StorySplit.objects.filter(story=story).values("item")
    StorySplit.objects.filter(story=old).exclude(item__in=already).update(story=story)
    followers = FollowedStory.objects.filter(story=old)
    following = FollowedStory.objects.filter(story=story).values("user")
    moved = list(followers.exclude(user__in=following).values_list("user", flat=True))
    followers.filter(user__in=moved).update(story=story)
    User.bump_cache_versions(moved)
    StoryRedirect.objects.update_or_create(
        old_id=old, defaults={"story_id": story, "is_public": is_public}
    )
    Story.objects.filter(pk=old).delete()
