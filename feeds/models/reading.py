"""Subscriptions and folders of readers, and the states of the items that they touched."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from feeds.models.item import Item
from feeds.models.source import Source


class Folder(models.Model):
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="folders"
    )
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.CASCADE, related_name="children"
    )
    name = models.CharField(max_length=100)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "name"],
                condition=Q(parent__isnull=True),
                name="folder_top_unique",
            ),
            models.UniqueConstraint(
                fields=["user", "parent", "name"],
                condition=Q(parent__isnull=False),
                name="folder_child_unique",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Subscription(models.Model):
    class Level(models.TextChoices):
        LESS = "less", "less"
        NORMAL = "normal", "normal"
        MORE = "more", "more"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="subscriptions",
        db_index=False,
    )
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="subscriptions")
    folder = models.ForeignKey(
        Folder, null=True, blank=True, on_delete=models.SET_NULL, related_name="subscriptions"
    )
    title = models.CharField(
        max_length=300, blank=True, help_text="the reader's custom name for the source"
    )
    read_up_to = models.BigIntegerField(
        default=0, help_text="watermark: items up to this seq are read"
    )
    level = models.CharField(
        max_length=6,
        choices=Level,
        default=Level.NORMAL,
        db_default=Level.NORMAL,
        help_text="how much of the source the reader wants",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "source"], name="subscription_unique")
        ]

    def __str__(self) -> str:
        return self.title or str(self.source)


class ItemState(models.Model):
    """The state of an item for one reader. Untouched items have no row.

    If `is_read` is null, the watermark of the subscription decides. `told_at` is when the reader
    last expressed their taste by opening, saving or hiding the item. Rows without it do not count
    for the reader's taste.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="item_states",
        db_index=False,
    )
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="states")
    is_read = models.BooleanField(null=True)
    is_saved = models.BooleanField(default=False)
    is_hidden = models.BooleanField(default=False)
    is_opened = models.BooleanField(default=False, db_default=False)
    is_disliked = models.BooleanField(default=False, db_default=False, help_text="less like this")
    told_at = models.DateTimeField(null=True, help_text="when it last changed the reader's taste")
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "item"], name="state_unique")]
        indexes = [
            models.Index(fields=["user", "-item"], condition=Q(is_saved=True), name="state_saved"),
            models.Index(fields=["user", "item"], condition=Q(is_read=False), name="state_unread"),
            models.Index(
                fields=["user", "-told_at"], condition=Q(told_at__isnull=False), name="state_told"
            ),
        ]


class MarkUndo(models.Model):
    """The watermarks before a "mark all read", so that it can be undone."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    marks = models.JSONField(help_text="{subscription id: previous watermark}")
    unread_items = models.JSONField(default=list, help_text="items that were marked unread")
    item_count = models.PositiveIntegerField(default=0, help_text="items that were marked read")
