"""A story develops, falls quiet, and is archived when nothing can join it any more."""

from datetime import UTC, datetime, timedelta

import pytest

from feeds.stories.life import Stage, stage_at

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "stage"),
    [
        (-1, Stage.DEVELOPING),
        (0, Stage.DEVELOPING),
        (23, Stage.DEVELOPING),
        (25, Stage.QUIET),
        (72, Stage.QUIET),
        (73, Stage.ARCHIVED),
        (9000, Stage.ARCHIVED),
    ],
)
def test_the_stage_goes_by_the_newest_telling(hours: int, stage: Stage) -> None:
    assert stage_at(NOW - timedelta(hours=hours), NOW) is stage
