"""Sources: a feed with its schedule and its health, and the log of its fetches."""

from datetime import datetime
from typing import Any

from django.db import connection, models, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from ainews_site.infra import db_clock
from feeds.core.discussions import is_discussion


class SourceQuerySet(models.QuerySet["Source"]):
    def visible_to(self, user: Any) -> "SourceQuerySet":
        """Sources that `user` may see: of the catalogue, and those that they subscribe to.

        A join with all subscriptions would read those of all readers, and need DISTINCT.
        """
        from feeds.models.reading import Subscription

        own = Subscription.objects.filter(user=user, source=OuterRef("pk"))
        return self.filter(Q(is_public=True) | Exists(own))

    def subscribed_by(self, user: Any) -> "SourceQuerySet":
        return self.filter(subscriptions__user=user)

    def free(self, now: Any) -> "SourceQuerySet":
        """Sources that no process holds a lease of.

        A lease that ends too far ahead was written by a machine with a wrong clock.
        """
        is_over = Q(lease_until__lt=now) | Q(lease_until__gt=now + db_clock.FURTHEST)
        return self.filter(Q(lease_until__isnull=True) | is_over)

    def due(self, now: Any = None) -> "SourceQuerySet":
        """Active sources whose poll is due and whose lease is free."""
        now = now or db_clock.now()
        return self.free(now).filter(status=Source.Status.ACTIVE, next_poll_at__lte=now)

    def lock(self) -> None:
        """Lock the rows until the end of the transaction, in the order of their ids.

        Call it before changing several sources, so that two transactions cannot deadlock.
        """
        if connection.features.has_select_for_update:
            list(self.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))

    @transaction.atomic
    def change(self, **values: Any) -> int:
        """Lock and update the sources, since workers update them too. Returns their number."""
        sources = Source.objects.filter(pk__in=list(self.values_list("pk", flat=True)))
        sources.lock()
        return sources.update(**values)


class Source(models.Model):
    class Status(models.TextChoices):
        ACTIVE = "active", "active"
        PAUSED = "paused", "paused"
        GONE = "gone", "gone"

    url = models.CharField("URL", max_length=2048, unique=True, help_text="address of the feed")
    title = models.CharField(max_length=300, blank=True)
    site_url = models.CharField("site URL", max_length=2048, blank=True)
    description = models.TextField(blank=True)
    kind = models.CharField(
        max_length=10, blank=True, help_text="format of the last document: rss, atom or json"
    )
    language = models.CharField(max_length=10, blank=True)
    topics = models.JSONField(default=list, blank=True)
    weight = models.FloatField(default=1.0, help_text="trust in this source; 1 is neutral")
    pack = models.CharField(
        max_length=50, blank=True, help_text="starter pack that has this source"
    )
    is_public = models.BooleanField(default=False, help_text="shown to everyone in the catalogue")
    full_text = models.BooleanField(
        default=False, help_text="fetch the full text from each article's page"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    next_poll_at = models.DateTimeField(default=timezone.now)
    interval = models.PositiveIntegerField(default=3600, help_text="seconds between polls")
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.BigIntegerField(
        default=0, help_text="fencing token; each claim increases it"
    )

    etag = models.CharField(max_length=1000, blank=True)
    last_modified = models.CharField(max_length=200, blank=True)
    body_hash = models.CharField(max_length=64, blank=True)
    last_fetched_at = models.DateTimeField(null=True, blank=True)
    last_succeeded_at = models.DateTimeField(null=True, blank=True)
    last_full_fetch_at = models.DateTimeField(null=True, blank=True)
    last_new_at = models.DateTimeField(null=True, blank=True)
    items_per_day = models.FloatField(default=0.0)
    failures = models.PositiveIntegerField(default=0, help_text="failed fetches in a row")
    failing_since = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True, help_text="the message that readers see")
    complaint = models.TextField(
        blank=True, help_text="what was wrong with the last document that was read"
    )
    moved_to = models.CharField(max_length=2048, blank=True)
    moved_since = models.DateTimeField(null=True, blank=True)
    trusts_guid = models.BooleanField(
        default=True, help_text="off if the feed used one guid for several articles"
    )

    objects = SourceQuerySet.as_manager()

    class Meta:
        ordering = ["title", "id"]
        indexes = [
            models.Index(fields=["next_poll_at"], condition=Q(status="active"), name="source_due"),
        ]

    def __str__(self) -> str:
        return self.title or self.url

    @property
    def is_discussion(self) -> bool:
        """Whether people discuss there what others published, as on Hacker News."""
        return is_discussion(self.url) or is_discussion(self.site_url)

    @property
    def state_word(self) -> str:
        """The state in one word: new, ok, failing, paused or gone."""
        return state_word(self.status, self.failures, self.last_succeeded_at)


def state_word(status: str, failures: int, last_succeeded_at: datetime | None) -> str:
    """The state of a source in one word."""
    if status != Source.Status.ACTIVE:
        return status
    if failures:
        return "failing"
    return "ok" if last_succeeded_at else "new"


class FetchLog(models.Model):
    """One fetch of a source. A scheduled task deletes old rows."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="fetches")
    at = models.DateTimeField(default=timezone.now)
    status = models.PositiveSmallIntegerField(default=0, help_text="HTTP status, 0 for none")
    milliseconds = models.PositiveIntegerField(default=0)
    size = models.PositiveIntegerField(default=0, help_text="bytes after decompression")
    new = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    note = models.TextField(
        blank=True, db_default="", help_text="what was not read of the document"
    )

    class Meta:
        indexes = [models.Index(fields=["source", "-id"], name="fetchlog_newest")]
