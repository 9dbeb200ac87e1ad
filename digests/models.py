"""A digest: one reader's edition of one day, with the titles and addresses that it cites."""

from django.conf import settings
from django.db import models


class Digest(models.Model):
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="digests"
    )
    date = models.DateField(help_text="the reader's own day")
    created_at = models.DateTimeField(auto_now=True)
    written_by = models.CharField(max_length=100, default="extractive")
    content = models.JSONField(help_text="the edition: see digests.edition")

    class Meta:
        ordering = ["-date"]
        constraints = [models.UniqueConstraint(fields=["user", "date"], name="digest_unique")]

    def __str__(self) -> str:
        return f"{self.date}"
