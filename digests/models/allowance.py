"""Rate limits of readers."""

from django.db import models

from accounts.models import User


class Allowance(models.Model):
    """How often a reader did a limited action since `since`: see digests.channels.allowance."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    action = models.CharField(max_length=20)
    since = models.DateTimeField()
    used = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "action"], name="allowance_unique")]
