"""Records of the items that were moved out of the database into files."""

from django.db import models


class ArchivePart(models.Model):
    """A file of items of one month. A month has several if items arrived after the first one."""

    class State(models.TextChoices):
        REMOVING = "removing", "being taken out"
        ARCHIVED = "archived", "archived"
        RESTORED = "restored", "brought back"

    name = models.CharField(max_length=20, unique=True, help_text="month, and a number: 2025-03-2")
    low = models.BigIntegerField(help_text="the month's ids, from")
    high = models.BigIntegerField(help_text="and below")
    items = models.PositiveIntegerField()
    size = models.BigIntegerField(help_text="bytes of the file")
    sha256 = models.CharField(max_length=64, help_text="of the file")
    state = models.CharField(max_length=10, choices=State, default=State.REMOVING)
    made_at = models.DateTimeField()

    class Meta:
        ordering = ["-low", "name"]

    def __str__(self) -> str:
        return self.name
