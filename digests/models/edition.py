"""The tables of editions and of requests to write them."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import User


class DigestQuerySet(models.QuerySet["Digest"]):
    def of(self, reader: User | None) -> "DigestQuerySet":
        """The editions of one reader, or with None those of the site."""
        return self.filter(user=reader)


class Digest(models.Model):
    """The edition of one day, of one reader or (without a reader) of the whole site.

    It stores the titles and URLs that it cites, so that it can be read after items are deleted.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="digests",
    )
    date = models.DateField(help_text="day in the reader's time zone")
    created_at = models.DateTimeField(auto_now=True)
    starts_at = models.DateTimeField(null=True, help_text="start of the period it covers")
    ends_at = models.DateTimeField(null=True, help_text="end of the period it covers")
    written_by = models.CharField(max_length=100, default="extractive")
    content = models.JSONField(help_text="the edition: see digests.editions.edition")

    objects = DigestQuerySet.as_manager()

    class Meta:
        ordering = ["-date"]
        constraints = [
            models.UniqueConstraint(fields=["user", "date"], name="digest_unique"),
            models.UniqueConstraint(
                fields=["date"], condition=Q(user=None), name="digest_global_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.date}"

    @property
    def is_global(self) -> bool:
        return self.user_id is None

    @property
    def known_until(self) -> datetime:
        """The end of the time that it covers. Old releases stored only when it was written."""
        return self.ends_at or self.created_at


class Writing(models.Model):
    """A request to write an edition, with its progress or its last error.

    The row is deleted when the edition is written. The previous edition stays until then.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+"
    )
    date = models.DateField()
    is_due = models.BooleanField(
        default=False, help_text="due by the schedule, so it is also delivered"
    )
    done = models.PositiveSmallIntegerField(default=0, help_text="stories written")
    total = models.PositiveSmallIntegerField(
        default=0, help_text="stories chosen; 0 until they are"
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=300, blank=True, help_text="shown to the reader")
    next_try_at = models.DateTimeField()
    until = models.DateTimeField(null=True, help_text="end of the lease of a worker")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "date"], name="writing_unique"),
            models.UniqueConstraint(
                fields=["date"], condition=Q(user=None), name="writing_global_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.date}: {self.done} of {self.total}"
