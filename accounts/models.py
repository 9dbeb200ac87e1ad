"""Users with their preferences, and the tokens that authenticate them or their clients."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.utils import timezone


def new_version() -> int:
    """Return a new cache version.

    It is random rather than incremented, so that a value is never reused after concurrent updates
    or a restore.
    """
    return secrets.randbits(62)


class VersionField(models.BigIntegerField):  # type: ignore[type-arg]
    """A field that only an update overwrites.

    Saving a whole row leaves it alone, because another process may have changed it meanwhile.
    """

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        return super().pre_save(model_instance, add) if add else models.F(self.attname)


class User(AbstractUser):
    """A user with their preferences. `version` is part of the key of what is cached for them."""

    class Theme(models.TextChoices):
        SYSTEM = "system", "System"
        LIGHT = "light", "Light"
        DARK = "dark", "Dark"

    class Density(models.TextChoices):
        COMPACT = "compact", "Compact"
        COSY = "cosy", "Cosy"
        ROOMY = "roomy", "Roomy"

    class TextSize(models.TextChoices):
        SMALL = "small", "Small"
        MEDIUM = "medium", "Medium"
        LARGE = "large", "Large"
        HUGE = "huge", "Huge"

    theme = models.CharField(max_length=10, choices=Theme.choices, default=Theme.SYSTEM)
    density = models.CharField(max_length=10, choices=Density.choices, default=Density.COSY)
    text_size = models.CharField(max_length=10, choices=TextSize.choices, default=TextSize.MEDIUM)
    keys_enabled = models.BooleanField(default=True)
    time_zone = models.CharField(max_length=50, default="UTC")
    digest_hour = models.PositiveSmallIntegerField(default=7, validators=[MaxValueValidator(23)])
    digest_days = models.CharField(
        max_length=7,
        default="0123456",
        blank=True,
        validators=[RegexValidator(r"^0?1?2?3?4?5?6?$")],
        help_text="weekdays with an edition; Monday is 0",
    )
    interests = models.JSONField(
        default=dict, blank=True, help_text="{topic: mute | less | normal | more}"
    )
    version = VersionField(
        default=new_version, editable=False, help_text="cache version; changes with every action"
    )

    def bump_cache_version(self) -> None:
        """Set a new cache version, which invalidates everything cached for this user.

        Call it last in the transaction of the user's action. The version is a column rather than
        a key of the cache, so that all processes and replicas see it together with the action.
        """
        self.version = new_version()
        User.objects.filter(pk=self.pk).update(version=self.version)

    @classmethod
    def bump_cache_versions(cls, readers: Iterable[int]) -> None:
        """Do the same for users who are affected by something that they did not do themselves."""
        cls.objects.filter(pk__in=readers).update(version=new_version())


def hash_token(token: str) -> str:
    """SHA-256 in hex: tokens are random, so a fast hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


class SigninToken(models.Model):
    """A one-use sign-in link, valid 15 minutes, from loopback only."""

    LIFETIME = timedelta(minutes=15)

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)

    @classmethod
    def issue(cls, user: User) -> str:
        """Store a new token's hash and return the token itself."""
        token = secrets.token_urlsafe(32)
        cls.objects.filter(created_at__lt=timezone.now() - cls.LIFETIME).delete()
        cls.objects.create(user=user, token_hash=hash_token(token))
        return token


TOKEN_PREFIX = "ain_"  # noqa: S105 - not a secret
"""How API tokens begin."""


class ApiToken(models.Model):
    """A token for the REST API. Only its hash is stored."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True, blank=True)

    @classmethod
    def issue(cls, user: User, name: str) -> str:
        """Store a new token's hash and return the token, which is shown once."""
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        cls.objects.create(user=user, name=name, token_hash=hash_token(token))
        return token

    def __str__(self) -> str:
        return self.name


class AttemptCount(models.Model):
    """A count of attempts at something that can be guessed, used where there is no shared cache.

    `key` is a keyed hash of the account or the address that the attempts are counted for.
    """

    key = models.CharField(max_length=64, unique=True)
    attempts = models.PositiveIntegerField(default=0)
    paused_until = models.DateTimeField(null=True, blank=True)
    forgotten_at = models.DateTimeField(db_index=True)
