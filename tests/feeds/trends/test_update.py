"""The whole of it on a real database: count, find, keep, read."""

import pytest

from feeds.trends.board import public_trends
from feeds.trends.update import update_trends
from tests.feeds.trends.newsroom import NOW, Newsroom

pytestmark = pytest.mark.django_db


def test_a_name_that_many_tell_of_at_once_is_a_trend() -> None:
    room = Newsroom()
    room.ordinary_days()
    room.burst("OpenAI ships GPT-6", 6)

    update_trends(NOW)

    trend = public_trends(NOW)[0]
    assert trend.label == "OpenAI ships GPT-6"
    assert (trend.stories, trend.before, trend.sources) == (6, 0, 6)
    assert (trend.stage, trend.is_burst, trend.sparkline[-1]) == ("new", True, 6)
