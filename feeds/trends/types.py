"""What a trend is, as pages, programs and digests see it. Pure."""

from dataclasses import dataclass
from datetime import date

DISPLAYED = 7
"""Days that are compared with as many before."""
SPARKLINE = 30
NEW, CLIMBING, PEAK, COOLING = "new", "climbing", "peak", "cooling"


@dataclass(frozen=True, slots=True)
class Trend:
    """A term that more stories are about than usual, of those that its reader may see.

    `key` names it in addresses; `sparkline` is stories a day, the last one today's, which is
    not over; `stories` and `sources` are of the last 7 days, `before` of the 7 days before
    them; `is_burst` says that the last two days alone show it; `score` orders trends of one
    reader at one time.
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
        """Why it is one, in words."""
        usual = round(self.expected)
        past = f"usually {usual}" if usual else "usually none"
        return (
            f"{self.stories} stories from {self.sources} sources in 7 days, {past};"
            f" {self.before or 'none'} the week before"
        )


def stage_of(days: tuple[int, ...], before: float) -> str:
    """Where it stands, from its last 8 days of stories, today's last, and how many the weeks
    before had a day. Today is not over: it counts where it has more than yesterday already."""
    *past, yesterday, today = days
    now, peak = max(today, yesterday), max(days)
    if before * DISPLAYED < 1 and not any(past[:-1]):
        return NEW
    if now >= peak and now > max(past[-2:], default=0):
        return CLIMBING
    return PEAK if now >= 0.6 * peak else COOLING
