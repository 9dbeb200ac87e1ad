"""The front page: one reader's stories, ranked and in sections. The API shows the same."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial

from django.utils import timezone

from accounts.models import User
from ainews_site.infra.timezones import zone_named
from feeds.coordination.revisions import News
from feeds.reading.feedback import log_impression
from feeds.reading.ranked import MAX_STORIES, RankedStory, rank_stories
from feeds.reading.sources import Followed
from feeds.stories.ranking.diversify import Candidate, diversify, exploration_item

MAX_TOP = 10
TOP_HOURS = 36
MIN_FOR_TOP = 12
"""With fewer stories there is no section of top stories, because it would be most of the page."""
TOP, FOLLOWED = "Top stories", "Stories you follow"


@dataclass(slots=True)
class Section:
    title: str
    stories: list[RankedStory] = field(default_factory=list)


def front_page_sections(
    user: User,
    *,
    topic: str = "",
    folder_id: int | None = None,
    now: datetime | None = None,
    followed: Mapping[int, Followed] | None = None,
    news: News | None = None,
) -> list[Section]:
    """Return the sections of the front page: unread followed stories, top stories, then by day.

    Makes at most ten queries. Muted topics are left out unless `topic` is one of them; hidden
    items are always left out. `followed` are all subscriptions and `news` is the current
    state, if they were read before.
    """
    now = now or timezone.now()
    zone = zone_named(user.time_zone)
    today = now.astimezone(zone).date()
    ranked = rank_stories(user, topic, folder_id, now, MAX_STORIES, followed, news)
    above = [story for story in ranked if story.is_followed and story.unread]
    first = {story.story.pk for story in above}
    others = [story for story in ranked if story.story.pk not in first]
    top = [] if topic else _top(others, user, now, today)
    first.update(story.story.pk for story in top)
    days = [Section("Today"), Section("Yesterday"), Section("Earlier")]
    for ranked_story in ranked:
        if ranked_story.story.pk not in first:
            age = (today - ranked_story.newest_at.astimezone(zone).date()).days
            days[min(max(age, 0), 2)].stories.append(ranked_story)
    sections = (Section(FOLLOWED, above), Section(TOP, top), *days)
    return [section for section in sections if section.stories]


def _top(
    ranked: Sequence[RankedStory], user: User, now: datetime, today: date
) -> list[RankedStory]:
    """Choose diverse top stories of the last hours. If there are MAX_TOP, the last one is drawn to
    explore."""
    if len(ranked) < MIN_FOR_TOP:
        return []
    recent = (story for story in ranked if now - story.newest_at <= timedelta(hours=TOP_HOURS))
    by_id = {story.story.pk: story for story in recent}
    candidates = [
        Candidate(pk, story.score, story.topics, story.shown[0].source_id)
        for pk, story in by_id.items()
    ]
    most = min(MAX_TOP, len(ranked) // 2)
    chosen = diversify(candidates, most)
    odd, chance = exploration_item(candidates, chosen[:-1], user.pk, today)
    if odd is not None and most == MAX_TOP:
        chosen = [*chosen[: MAX_TOP - 1], odd]
        by_id[odd].is_odd, by_id[odd].chance = True, chance
    return [by_id[pk] for pk in chosen]


def log_page(user: User, sections: Sequence[Section], now: datetime | None = None) -> None:
    """Record the impression of a page."""
    impression_of(user, sections, now)()


def impression_of(
    user: User, sections: Sequence[Section], now: datetime | None = None
) -> Callable[[], None]:
    """Return a function that records the impression, for deferred writes. It holds only ids, so
    that the rows of the page can be freed."""
    stories = [story for section in sections for story in section.stories]
    odd = next((story for story in stories if story.is_odd), None)
    return partial(
        log_impression,
        user,
        [(story.story.pk, story.lead_id) for story in stories],
        now or timezone.now(),
        odd=odd.story.pk if odd else None,
        propensity=odd.chance if odd else 1.0,
    )
