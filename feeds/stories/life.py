"""The life cycle of a story: developing, quiet, archived. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum

from feeds.stories.grouping.similarity import WINDOW

DEVELOPING_FOR = timedelta(hours=24)
"""A story is developing for so long after its newest original article."""


class Stage(StrEnum):
    DEVELOPING = "developing"
    QUIET = "quiet"
    ARCHIVED = "archived"


def stage_at(last_published: datetime, now: datetime) -> Stage:
    """Return the stage of a story. `last_published` is when its newest original was published.

    A story is archived when the grouping window has passed, because no item can join it then.
    """
    age = now - last_published
    if age < DEVELOPING_FOR:
        return Stage.DEVELOPING
    return Stage.QUIET if age <= timedelta(seconds=WINDOW) else Stage.ARCHIVED
