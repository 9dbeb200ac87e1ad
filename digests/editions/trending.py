"""What is trending, as an edition tells it."""

from accounts.models import User
from digests.editions.edition import EditionTrend
from digests.editions.window import Window
from feeds.trends.board import public_trends, trends_for
from feeds.trends.types import Trend

MOST = 5


def trends_of(user: User | None, window: Window) -> list[EditionTrend]:
    """Those of this reader's sources, or of the public ones, at the end of the window."""
    found = trends_for(user, window.end, MOST) if user else public_trends(window.end, MOST)
    return [_told(trend) for trend in found]


def _told(trend: Trend) -> EditionTrend:
    return EditionTrend(
        label=trend.label,
        stories=trend.stories,
        before=trend.before,
        stage=trend.stage,
        story_id=trend.story_id,
        title=trend.story_title,
    )
