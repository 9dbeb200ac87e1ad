"""Daily counts of terms, the trends found in them, and the terms that readers follow."""

from django.conf import settings
from django.db import models


class TrendDay(models.Model):
    """A counted day: the number of items of each source, and the newest seq that was counted."""

    day = models.DateField(unique=True)
    seq = models.BigIntegerField(help_text="newest seq when the day was counted")
    sources = models.JSONField(default=dict, help_text="{source id: items}")


class TermDay(models.Model):
    """A term on one day: the stories whose titles contain it, and the sources of those titles."""

    day = models.DateField(db_index=True)
    term = models.CharField(max_length=60)
    count = models.PositiveIntegerField(help_text="number of stories")
    stories = models.TextField(help_text="JSON: [[story id, source id, …], …], copies negative")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["term", "day"], name="term_day_unique")]


class TrendBoard(models.Model):
    """The trends of the public sources (`user` is null), or of a reader with private sources."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+"
    )
    made_at = models.DateTimeField()
    trends = models.JSONField(default=list)


class TrendFollow(models.Model):
    """A term, or "#" and the slug of a topic, whose bursts a reader is notified of."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="trend_follows"
    )
    term = models.CharField(max_length=60)
    label = models.CharField(max_length=100, help_text="as the reader wrote it")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["label", "id"]
        constraints = [models.UniqueConstraint(fields=["user", "term"], name="trend_follow_unique")]

    def __str__(self) -> str:
        return self.label


class TrendAlert(models.Model):
    """A notification of a burst of a followed term, sent once.

    It is not shown before `due_at`: at night it waits for the reader's morning.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="trend_alerts"
    )
    term = models.CharField(max_length=60)
    label = models.CharField(max_length=100)
    began = models.DateField(help_text="the first day of the burst")
    until = models.DateField(help_text="the last day on which the burst was seen")
    explanation = models.CharField(max_length=200)
    story_id = models.BigIntegerField(help_text="the leading story at that time")
    made_at = models.DateTimeField()
    due_at = models.DateTimeField()
    seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["user", "term", "began"], name="trend_alert_once")
        ]

    def __str__(self) -> str:
        return self.label
