"""The coverage strip of a row."""

from datetime import timedelta

from django.utils import timezone

from feeds.stories.members import Dot
from feeds.web.coverage_strip import coverage_strip


def test_articles_of_one_moment_are_one_dot() -> None:
    first = timezone.now() - timedelta(hours=10)
    moments = [first, *[first + timedelta(hours=5, seconds=n) for n in range(8)]]
    dots = [Dot(moment, n, False) for n, moment in enumerate(moments)]
    strip = coverage_strip(dots, 9, {n: f"Source {n}" for n in range(9)})
    assert strip.partition('class="strip-dots" d="')[2].partition('"')[0].count("M") == 1
    assert "9 articles. First: Source 0" in strip
