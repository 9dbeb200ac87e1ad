"""Where a story is in its life: it develops, falls quiet, and is archived. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum

from feeds.stories.grouping.similarity import WINDOW

LIVELY = timedelta(hours=24)


class Stage(StrEnum):
    DEVELOPING = "developing"
    QUIET = "quiet"
    ARCHIVED = "archived"


def stage_at(last_told: datetime, now: datetime) -> Stage:
    """`last_told` is when its newest telling that is no copy was published.

    Once the window of grouping is over no item joins it any more: it is archived.
    """
    ago = now - last_told
    if ago < LIVELY:
        return Stage.DEVELOPING
    return Stage.QUIET if ago <= timedelta(seconds=WINDOW) else Stage.ARCHIVED
