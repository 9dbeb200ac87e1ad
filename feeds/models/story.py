"""Stories, which are the items that cover one event, and named leases."""

from datetime import datetime, timedelta
from typing import Any, Protocol

from django.db import models

REACH = timedelta(hours=72)
"""How long before `first_at` and after `last_at` a story may have items of private sources.

Both times come from its public items, if it has any.
"""


class StoryHead(Protocol):
    """What lists need of a story: a Story, or a row with these columns."""

    @property
    def pk(self) -> int: ...
    @property
    def title(self) -> str: ...
    @property
    def lead_id(self) -> int | None: ...
    @property
    def first_at(self) -> datetime: ...
    @property
    def item_count(self) -> int: ...
    @property
    def title_pinned(self) -> bool: ...


class StoryQuerySet(models.QuerySet["Story"]):
    def visible_to(self, user: Any) -> "StoryQuerySet":
        """Stories with at least one item that `user` may see."""
        from feeds.models.item import Item

        items = Item.objects.visible_to(user).filter(story=models.OuterRef("pk"))
        return self.filter(models.Exists(items))


class Story(models.Model):
    """A group of items that cover one event.

    The other fields are derived from its items by feeds.stories.grouping.refresh.
    """

    id = models.BigIntegerField(primary_key=True, help_text="time-ordered, see feeds.core.ids")
    title = models.CharField(max_length=500)
    lead = models.ForeignKey(
        "feeds.Item", null=True, on_delete=models.SET_NULL, related_name="+", db_constraint=False
    )
    first_at = models.DateTimeField()
    last_at = models.DateTimeField(db_index=True, help_text="when its newest item was published")
    item_count = models.PositiveIntegerField(default=1)
    source_count = models.PositiveIntegerField(default=1, help_text="copies are not counted")
    copy_count = models.PositiveIntegerField(default=0)
    topics = models.JSONField(default=list, blank=True)
    last_seq = models.BigIntegerField(
        default=0, db_index=True, help_text="seq of its newest arrival"
    )
    title_pinned = models.BooleanField(
        default=False, help_text="an administrator wrote the headline"
    )

    objects = StoryQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "stories"

    def __str__(self) -> str:
        return self.title


class StoryRedirect(models.Model):
    """The story that a merged story became part of, so that the old address keeps working."""

    old_id = models.BigIntegerField(primary_key=True)
    story = models.ForeignKey(Story, on_delete=models.CASCADE, related_name="redirects")
    is_public = models.BooleanField(
        default=True, db_default=True, help_text="the old story had items of public sources"
    )


class StorySplit(models.Model):
    """An item that a person removed from a story. Grouping does not put it back."""

    item = models.ForeignKey(
        "feeds.Item", on_delete=models.CASCADE, related_name="splits", db_constraint=False
    )
    story = models.ForeignKey(Story, on_delete=models.CASCADE, related_name="splits")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "story"], name="story_split_unique"),
        ]


class Lease(models.Model):
    """An exclusive right that one process holds at a time; see feeds.coordination.lease.

    `token` grows with each claim (a fencing token), so that a former holder is recognised.
    """

    name = models.CharField(max_length=50, primary_key=True)
    token = models.BigIntegerField(default=0)
    until = models.DateTimeField(null=True)
    holder = models.CharField(max_length=200, blank=True)
