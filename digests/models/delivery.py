"""The tables of delivery channels and of deliveries."""

import secrets

from django.db import models

from accounts.models import User
from digests.models.edition import Digest


def new_key() -> str:
    return secrets.token_urlsafe(24)


class Channel(models.Model):
    """An address to which a reader has editions delivered. `kind` names its ChannelKind."""

    class State(models.TextChoices):
        UNCONFIRMED = "unconfirmed", "awaiting confirmation"
        ACTIVE = "active", "active"
        DISABLED = "stopped", "disabled"

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
    reason = models.CharField(
        max_length=300, blank=True, help_text="why it was disabled; shown to the reader"
    )
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
    """The delivery of one edition through one channel. The pair is unique."""

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
    error = models.CharField(
        max_length=300, blank=True, help_text="error of the last attempt; shown to the reader"
    )
    created_at = models.DateTimeField()
    next_try_at = models.DateTimeField()
    until = models.DateTimeField(null=True, help_text="end of the lease of a worker")
    token = models.PositiveIntegerField(
        default=0, help_text="fencing token; each claim increases it"
    )
    sent_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["channel", "digest"], name="delivery_unique")
        ]
        indexes = [models.Index(fields=["state", "next_try_at"], name="delivery_due")]

    def __str__(self) -> str:
        return f"{self.digest_id} by {self.channel_id}: {self.state}"
