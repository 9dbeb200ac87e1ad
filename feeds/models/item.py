"""Items are stored once and shared by all readers.

Their bodies are in a table of their own, and their identity in a narrow ledger.
"""

from collections.abc import Iterable
from typing import Any

from django.db import models
from django.db.models import Q

from feeds.core.ids import lowest_id
from feeds.html.markup import plain_html
from feeds.models.source import Source
from feeds.models.story import REACH, Story


def _followed_by(user: Any) -> models.QuerySet[Any, Any]:
    """The ids of the sources that `user` subscribes to, as a subquery."""
    from feeds.models.reading import Subscription

    return Subscription.objects.filter(user=user).values("source")


class ItemQuerySet(models.QuerySet["Item"]):
    def visible_to(self, user: Any) -> "ItemQuerySet":
        """Items that `user` may see: of public sources, and of those that they subscribe to."""
        return self.filter(
            Q(source__in=Source.objects.filter(is_public=True).values("pk"))
            | Q(source__in=_followed_by(user))
        )

    def subscribed_by(self, user: Any) -> "ItemQuerySet":
        """Items of the sources that `user` subscribes to."""
        return self.filter(source__in=_followed_by(user))

    def covering(self, stories: Iterable[Story]) -> "ItemQuerySet":
        """Items of these stories. Queries only the partitions that may have some."""
        first_at = {story.pk: story.first_at for story in stories}
        if not first_at:
            return self.none()
        return self.filter(story__in=list(first_at)).since(min(first_at.values()) - REACH)

    def since(self, moment: Any) -> "ItemQuerySet":
        """Items that were published at `moment` or later, by the time in their id."""
        return self.filter(id__gte=lowest_id(moment))

    def newest_first(self) -> "ItemQuerySet":
        return self.order_by("-id")


class Item(models.Model):
    id = models.BigIntegerField(primary_key=True, help_text="time-ordered, see feeds.core.ids")
    seq = models.BigIntegerField(help_text="number in the ledger: the order of arrival")
    source = models.ForeignKey(
        Source, on_delete=models.CASCADE, related_name="items", db_index=False
    )
    story = models.ForeignKey(
        "feeds.Story", null=True, blank=True, on_delete=models.SET_NULL, related_name="items"
    )
    story_pinned = models.BooleanField(
        default=False, help_text="an administrator put it into its story"
    )
    copy_of = models.BigIntegerField(null=True, blank=True, help_text="id of the original")
    url = models.CharField(max_length=2048, blank=True)
    title = models.CharField(max_length=500)
    author = models.CharField(max_length=200, blank=True)
    summary = models.CharField(max_length=600, blank=True, help_text="plain text")
    image_url = models.CharField(max_length=2048, blank=True)
    language = models.CharField(max_length=10, blank=True)
    topics = models.JSONField(default=list, blank=True)
    published_at = models.DateTimeField()
    fetched_at = models.DateTimeField()
    updated_at = models.DateTimeField(
        null=True, blank=True, help_text="when the content last changed"
    )
    content_hash = models.BigIntegerField(default=0, help_text="of title, text and link")

    objects = ItemQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["source", "id", "seq"], name="item_source_time"),
            models.Index(fields=["seq"], name="item_seq"),
            models.Index(
                fields=["copy_of"], condition=Q(copy_of__isnull=False), name="item_copy_of"
            ),
        ]

    def __str__(self) -> str:
        return self.title


class ItemBody(models.Model):
    """The parts of an item that its page and the search index need, but no list."""

    item = models.OneToOneField(
        Item, primary_key=True, on_delete=models.CASCADE, related_name="body"
    )
    # Empty if the plain text contains as much; see shown_html.
    html = models.TextField(blank=True, help_text="sanitised")
    text = models.TextField(blank=True, help_text="plain text, which the search indexes")
    enclosures = models.JSONField(
        default=list, blank=True, help_text="[{url, type, length}], length in bytes or null"
    )
    is_full_text = models.BooleanField(default=False, help_text="fetched from the article's page")

    @property
    def shown_html(self) -> str:
        """The HTML that readers see."""
        return self.html or plain_html(self.text)


class ItemKey(models.Model):
    """The ledger: one row for each entry that a source has ever served.

    A row stays when its item is deleted, so that the entry is not stored again. `seq` ascends by
    insertion, and rows become visible in this order, so the newest seq identifies everything that
    arrived up to then. Watermarks, cache keys and sync use it.
    """

    seq = models.BigAutoField(primary_key=True)
    source = models.ForeignKey(
        Source, on_delete=models.CASCADE, related_name="keys", db_index=False
    )
    key_hash = models.BigIntegerField(help_text="signed 64 bits of BLAKE2b of guid, link or text")
    alt_hash = models.BigIntegerField(help_text="the same for link and title")
    item_id = models.BigIntegerField(null=True, help_text="null when deleted or archived")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "key_hash"], name="item_key_unique"),
        ]
        indexes = [
            models.Index(fields=["source", "alt_hash"], name="item_key_alt"),
            models.Index(
                fields=["item_id"], condition=Q(item_id__isnull=False), name="item_key_item"
            ),
        ]
