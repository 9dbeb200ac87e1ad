"""The tables of texts by a language model: summaries of stories and answers to questions."""

from django.conf import settings
from django.db import models


class StorySummary(models.Model):
    """A model's summary of a story, shared by all readers who see the same items of it."""

    key = models.CharField(
        max_length=64, unique=True, help_text="hash of contents, prompt and model"
    )
    model = models.CharField(max_length=200)
    version = models.CharField(max_length=30, help_text="version of the prompt")
    sentences = models.JSONField(
        help_text="[[text, [source number]]]; empty if no sentence was supported"
    )
    why = models.JSONField(null=True, help_text="[text, [source number]]")
    drafted = models.PositiveIntegerField(help_text="sentences that the model wrote")
    held = models.PositiveIntegerField(help_text="sentences that the check found supported")
    complaints = models.JSONField(default=list, help_text="why the others were refused")
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name_plural = "story summaries"

    def __str__(self) -> str:
        return f"{self.model}: {self.held} of {self.drafted}"


class Question(models.Model):
    """A reader's question to a language model, with the answer or the failure. It expires."""

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
