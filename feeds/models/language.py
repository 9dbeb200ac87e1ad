"""Calls of language models: their cost, those that are running, and the state of the servers.

Money is in billionths of a dollar.
"""

from django.db import models

NAME = 200


class LanguageMonth(models.Model):
    """The cost of one month.

    Starting and finishing a call locks this row, so that two calls cannot both spend the rest of
    the budget.
    """

    month = models.DateField(unique=True, help_text="first day of the month (UTC)")
    cost = models.BigIntegerField(default=0, help_text="billionths of a dollar")
    warned_at = models.DateTimeField(
        null=True, help_text="when the log warned that most of the budget was spent"
    )

    class Meta:
        ordering = ["-month"]
        verbose_name = "month of language model costs"
        verbose_name_plural = "language model costs by month"

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class LanguageUse(models.Model):
    """Usage and cost, with one row for each day, model and purpose."""

    day = models.DateField(help_text="UTC")
    model = models.CharField(max_length=NAME)
    purpose = models.CharField(max_length=30)
    calls = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    estimated = models.PositiveIntegerField(
        default=0, help_text="calls for which the server reported no usage"
    )
    tokens_in = models.BigIntegerField(default=0)
    tokens_out = models.BigIntegerField(default=0)
    cost = models.BigIntegerField(default=0, help_text="billionths of a dollar")

    class Meta:
        ordering = ["-day", "model", "purpose"]
        verbose_name = "day of language model costs"
        verbose_name_plural = "language model costs by day"
        constraints = [
            models.UniqueConstraint(fields=["day", "model", "purpose"], name="language_use_unique")
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.model} {self.purpose}"


class LanguageServer(models.Model):
    """A model at an address: its circuit breaker, and the features (`lacks`) that it rejected."""

    name = models.CharField(max_length=600, unique=True, help_text="model at address")
    failures = models.PositiveIntegerField(default=0, help_text="failed calls in a row")
    problem = models.CharField(max_length=600, blank=True)
    open_until = models.DateTimeField(
        null=True, help_text="the server is not called before this time"
    )
    lacks = models.JSONField(default=list, blank=True)
    lacks_since = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class LanguageCall(models.Model):
    """A running call, with the tokens and the cost that are reserved for it.

    If its process dies, the call counts as made once `until` has passed.
    """

    server = models.ForeignKey(LanguageServer, on_delete=models.CASCADE, related_name="calls")
    model = models.CharField(max_length=NAME)
    purpose = models.CharField(max_length=30)
    started_at = models.DateTimeField()
    until = models.DateTimeField()
    tokens_in = models.PositiveIntegerField()
    tokens_out = models.PositiveIntegerField()
    cost = models.BigIntegerField()


class LanguageReply(models.Model):
    """A cached reply, by the hash of its request."""

    key = models.CharField(max_length=64, unique=True)
    model = models.CharField(max_length=NAME)
    data = models.JSONField()
    created_at = models.DateTimeField(db_index=True)
