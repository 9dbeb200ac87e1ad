"""System checks: what is configured wrongly, in a sentence each."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register


@register("ainews")
def check_queue(**_: Any) -> list[CheckMessage]:
    """A retry that comes before the time-out runs a task twice."""
    queue = settings.Q_CLUSTER
    if queue["retry"] > queue["timeout"]:
        return []
    return [Error("Q_CLUSTER retry must exceed timeout, or tasks run twice.", id="ainews.E001")]


@register("ainews")
def check_secret_key(**_: Any) -> list[CheckMessage]:
    if len(settings.SECRET_KEY) >= 20:
        return []
    hint = "Leave it empty: one is made and kept in DATA."
    return [Warning("SECRET_KEY is short enough to guess.", hint=hint, id="ainews.W001")]


@register("ainews")
def check_port(**_: Any) -> list[CheckMessage]:
    if 0 < settings.PORT < 65536:
        return []
    return [Error(f"PORT must be 1 to 65535, not {settings.PORT}.", id="ainews.E002")]
