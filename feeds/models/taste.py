"""The stories that readers follow, and the stories that were shown to them."""

from django.conf import settings
from django.db import models

from feeds.models.story import Story


class FollowedStory(models.Model):
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="followed_stories",
        db_index=False,
    )
    story = models.ForeignKey(Story, on_delete=models.CASCADE, related_name="followers")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "story"], name="followed_story_unique")
        ]


class Impression(models.Model):
    """One view of the page "Stories": the stories that were not shown on the day before.

    There is one row a page view, not one an item. The newest 200 rows of a reader are kept for 90
    days. They allow to evaluate another ranking offline (Li et al., "Unbiased offline evaluation of
    contextual-bandit-based news article recommendation", 2011). `odd` is the exploration item.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="impressions",
        db_index=False,
    )
    at = models.DateTimeField(db_index=True)
    stories = models.JSONField(help_text="ids in the order shown")
    leads = models.JSONField(help_text="the lead item of each story")
    odd = models.BigIntegerField(null=True, help_text="the story shown as “something different”")
    propensity = models.FloatField(
        default=1.0, help_text="probability with which that story was drawn"
    )

    class Meta:
        indexes = [models.Index(fields=["user", "-at"], name="impression_newest")]
