"""Records of the items that were moved out of the database into files."""

from django.db import models


class ArchivePart(models.Model):
    """A file of items of one month. A month has several if items arrived after the first one."""

    class State(models.TextChoices):
        REMOVING = "removing", "being archived"
        ARCHIVED = "archived", "archived"
        RESTORED = "restored", "restored"

    name = models.CharField(
        max_length=20,
        unique=True,
        help_text="month and, from the second file on, a number: 2025-03-2",
    )
    low = models.BigIntegerField(help_text="lowest id of the month")
    high = models.BigIntegerField(help_text="first id after the month")
    items = models.PositiveIntegerField()
    size = models.BigIntegerField(help_text="size of the file in bytes")
    sha256 = models.CharField(max_length=64, help_text="SHA-256 of the file")
    state = models.CharField(max_length=10, choices=State, default=State.REMOVING)
    made_at = models.DateTimeField()

    class Meta:
        ordering = ["-low", "name"]
        verbose_name = "archived month"

    def __str__(self) -> str:
        return self.name
