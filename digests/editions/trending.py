"""The trends of an edition."""

from accounts.models import User
from digests.editions.edition import EditionTrend
from digests.editions.window import Window
from feeds.trends.board import public_trends, trends_for
from feeds.trends.types import Trend

MAX_TRENDS = 5


def trends_of(user: User | None, window: Window) -> list[EditionTrend]:
    """The trends at the end of the window, of a reader's sources or of all public ones."""
    trends = (
        trends_for(user, window.end, MAX_TRENDS) if user else public_trends(window.end, MAX_TRENDS)
    )
    return [_edition_trend(trend) for trend in trends]


def _edition_trend(trend: Trend) -> EditionTrend:
    return EditionTrend(
        label=trend.label,
        stories=trend.stories,
        before=trend.before,
        stage=trend.stage,
        story_id=trend.story_id,
        title=trend.story_title,
    )
