"""Editions, what models wrote of stories and questions, the writing that goes on, channels and
deliveries."""

import secrets
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import User


class DigestQuerySet(models.QuerySet["Digest"]):
    def of(self, reader: User | None) -> "DigestQuerySet":
        """One reader's editions; None for those that are everyone's."""
        return self.filter(user=reader)


class Digest(models.Model):
    """An edition of one day, with the titles and addresses that it cites: a reader's own, or,
    without a reader, everyone's."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="digests",
    )
    date = models.DateField(help_text="the reader's own day")
    created_at = models.DateTimeField(auto_now=True)
    starts_at = models.DateTimeField(null=True, help_text="of what it covers")
    ends_at = models.DateTimeField(null=True, help_text="of what it covers")
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
        """What is newer it cannot tell; editions of earlier versions said only when written."""
        return self.ends_at or self.created_at


class Writing(models.Model):
    """An edition that is to be written, is being written, or failed. It goes when it is written,
    so what is here says how far it is; the edition before it stays all the while."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+"
    )
    date = models.DateField()
    is_due = models.BooleanField(default=False, help_text="by schedule: it is delivered as well")
    done = models.PositiveSmallIntegerField(default=0, help_text="stories written")
    total = models.PositiveSmallIntegerField(default=0, help_text="stories chosen, 0 until then")
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=300, blank=True, help_text="in words, for the reader")
    next_try_at = models.DateTimeField()
    until = models.DateTimeField(null=True, help_text="one worker holds it as long")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "date"], name="writing_unique"),
            models.UniqueConstraint(
                fields=["date"], condition=Q(user=None), name="writing_global_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.date}: {self.done} of {self.total}"


def new_key() -> str:
    return secrets.token_urlsafe(24)


class Channel(models.Model):
    """A way by which editions reach a reader outside the pages."""

    class State(models.TextChoices):
        UNCONFIRMED = "unconfirmed", "awaiting confirmation"
        ACTIVE = "active", "active"
        STOPPED = "stopped", "disabled"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="channels")
    kind = models.CharField(max_length=10, help_text="see digests.channels")
    is_global = models.BooleanField(default=False, help_text="delivers the site digest")
    target = models.CharField(max_length=2048, blank=True, help_text="address; empty for a feed")
    key = models.CharField(
        max_length=64,
        default=new_key,
        help_text="signs webhooks and links; changing it revokes them",
    )
    state = models.CharField(max_length=12, choices=State.choices, default=State.ACTIVE)
    reason = models.CharField(max_length=300, blank=True, help_text="why it was disabled, in words")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "kind", "is_global", "target"], name="channel_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class Delivery(models.Model):
    """One edition on its way through one channel; there is never a second of them."""

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        CLAIMED = "claimed", "being prepared"
        SENDING = "sending", "being sent"
        SENT = "sent", "sent"
        GIVEN_UP = "given_up", "given up"

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries")
    digest = models.ForeignKey(Digest, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=300, blank=True, help_text="of the last attempt, in words")
    created_at = models.DateTimeField()
    next_try_at = models.DateTimeField()
    until = models.DateTimeField(null=True, help_text="one worker holds it as long")
    token = models.PositiveIntegerField(default=0, help_text="fencing token, grows by claim")
    sent_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["channel", "digest"], name="delivery_unique")
        ]
        indexes = [models.Index(fields=["state", "next_try_at"], name="delivery_due")]

    def __str__(self) -> str:
        return f"{self.digest_id} by {self.channel_id}: {self.state}"


class Allowance(models.Model):
    """How often a reader did something of late that costs others: see digests.web.allowance."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    action = models.CharField(max_length=20)
    since = models.DateTimeField()
    used = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "action"], name="allowance_unique")]


class StorySummary(models.Model):
    """What a language model wrote of a story, for all readers who see the same items of it."""

    key = models.CharField(max_length=64, unique=True, help_text="hash of contents, prompt, model")
    model = models.CharField(max_length=200)
    version = models.CharField(max_length=30, help_text="of the prompt")
    sentences = models.JSONField(help_text="[[text, [source number]]]; none where nothing held")
    why = models.JSONField(null=True, help_text="[text, [source number]]")
    drafted = models.PositiveIntegerField(help_text="sentences that the model wrote")
    held = models.PositiveIntegerField(help_text="of which the check let so many pass")
    complaints = models.JSONField(default=list, help_text="what was wrong with the others")
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name_plural = "story summaries"

    def __str__(self) -> str:
        return f"{self.model}: {self.held} of {self.drafted}"


class Question(models.Model):
    """A reader's question that a language model is asked, and what became of it; it expires."""

    WAITING, ANSWERED, FAILED = "waiting", "answered", "failed"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="questions"
    )
    key = models.CharField(max_length=64, help_text="hash of the question and the model")
    text = models.CharField(max_length=500)
    asked_at = models.DateTimeField(db_index=True)
    state = models.CharField(max_length=10, default=WAITING)
    written_by = models.CharField(max_length=200, blank=True)
    content = models.JSONField(default=dict, help_text="sentences and sources: digests.ask.types")
    problem = models.CharField(max_length=500, blank=True, help_text="why it failed")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="question_unique")]

    def __str__(self) -> str:
        return self.text
