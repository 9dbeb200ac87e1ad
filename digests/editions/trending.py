"""The trends of editions."""

from collections.abc import Sequence

from digests.editions.edition import EditionTrend
from digests.editions.plan import Plan
from feeds.trends.board import trends_of_readers
from feeds.trends.types import Trend

MAX_TRENDS = 5


def trends_of(plans: Sequence[Plan]) -> list[list[EditionTrend]]:
    """The trends at the end of each window, of a reader's sources or of all public ones."""
    readers = {plan.request.user_id: (plan.window.end, plan.levels) for plan in plans}
    trends = trends_of_readers(readers, MAX_TRENDS)
    return [list(map(_edition_trend, trends[plan.request.user_id])) for plan in plans]


def _edition_trend(trend: Trend) -> EditionTrend:
    return EditionTrend(
        label=trend.label,
        stories=trend.stories,
        before=trend.before,
        stage=trend.stage,
        story_id=trend.story_id,
        title=trend.story_title,
    )
