"""A trend, as pages, the API and digests use it. Pure."""

from dataclasses import dataclass
from datetime import date

DISPLAYED = 7
"""Days of the period that is shown. It is compared with the same number of days before."""
SPARKLINE = 30
NEW, CLIMBING, PEAK, COOLING = "new", "climbing", "peak", "cooling"


@dataclass(frozen=True, slots=True)
class Trend:
    """A term that more stories than usual mention, among those that a reader can see.

    `key` identifies it in URLs, `label` is its name. `stories` and `sources` count the last 7
    days, `before` the stories of the 7 days before, `expected` those that the past predicts.
    `sparkline` are stories per day, today last. `is_burst` is whether the last two days alone are
    significant. `score` orders the trends of one board.
    """

    key: str
    label: str
    aliases: tuple[str, ...]
    stories: int
    before: int
    sources: int
    stage: str
    sparkline: tuple[int, ...]
    story_id: int
    story_title: str
    score: float
    expected: float
    is_burst: bool
    began: date

    @property
    def explanation(self) -> str:
        """Why the term is a trend, as a sentence for the reader."""
        usual = round(self.expected)
        past = f"usually {usual}" if usual else "usually none"
        return (
            f"{self.stories} stories from {self.sources} sources in 7 days, {past};"
            f" {self.before or 'none'} the week before"
        )


def stage_of(days: tuple[int, ...], before: float) -> str:
    """Return the stage of a trend: NEW, CLIMBING, PEAK or COOLING.

    `days` are the stories of the last 8 days, today last; `before` is the mean per day of the
    weeks before. Today is not over, so it counts only if it exceeds yesterday.
    """
    *past, yesterday, today = days
    now, peak = max(today, yesterday), max(days)
    if before * DISPLAYED < 1 and not any(past[:-1]):
        return NEW
    if now >= peak and now > max(past[-2:], default=0):
        return CLIMBING
    return PEAK if now >= 0.6 * peak else COOLING
