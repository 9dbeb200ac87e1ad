"""What readers report: a sentence that is wrong, or an article that is in the wrong story."""

from django.conf import settings
from django.db import models
from django.db.models import Q


class ReportQuerySet(models.QuerySet["Report"]):
    def open(self) -> "ReportQuerySet":
        return self.filter(state=Report.State.OPEN)


class Report(models.Model):
    """A report of a reader, for the administrators. It changes no story by itself.

    It stores what the reader saw, so that it can be judged after the story went on, was merged or
    deleted, and after the reader left.
    """

    class Kind(models.TextChoices):
        MISTAKE = "mistake", "a mistake in a sentence"
        MISPLACED = "misplaced", "an article in the wrong story"

    class State(models.TextChoices):
        OPEN = "open", "open"
        DONE = "done", "done"
        DISMISSED = "dismissed", "dismissed"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="reports",
    )
    kind = models.CharField(max_length=10, choices=Kind.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    story = models.BigIntegerField(help_text="its id when it was reported")
    story_title = models.CharField(max_length=500)
    place = models.CharField(max_length=100, help_text="the page that was read")
    sentence = models.TextField(blank=True)
    written_by = models.CharField(max_length=100, blank=True, help_text="the model, if any")
    articles = models.JSONField(
        default=list, help_text="[{item, title, url, source}]: what the sentence cites, or the item"
    )
    note = models.TextField(blank=True, help_text="the reader's own words")
    key = models.CharField(max_length=64, editable=False, help_text="a hash of what is reported")
    created_at = models.DateTimeField(auto_now_add=True)
    split_from = models.BigIntegerField(
        null=True, blank=True, help_text="the story from which an administrator split the article"
    )
    handled_at = models.DateTimeField(null=True, blank=True)
    handled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    objects = ReportQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "key"], condition=Q(state="open"), name="report_open_unique"
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(state="open"), name="report_open"),
        ]

    def __str__(self) -> str:
        return self.about

    @property
    def about(self) -> str:
        """The sentence, or the title of the article."""
        return self.sentence or next((article["title"] for article in self.articles), "")

    @property
    def item(self) -> int | None:
        """The id of the article that is in the wrong story."""
        is_misplaced = self.kind == self.Kind.MISPLACED and self.articles
        return int(self.articles[0]["item"]) if is_misplaced else None
