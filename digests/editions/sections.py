"""The sections of an edition beside its stories: what is also noted, and what became of before."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from accounts.models import User
from digests.editions.choose import Chosen
from digests.editions.earlier import Covered
from digests.editions.edition import AlsoNoted, EditionTrend
from digests.editions.window import Window
from feeds.core.topics import LABELS

OTHER = "Other news"
TrendFinder = Callable[[User | None, Window], Sequence[EditionTrend]]
"""What is trending in a window for a reader, or among the public sources without one."""


def also_noted(chosen: Sequence[Chosen]) -> tuple[AlsoNoted, ...]:
    """Those of one topic together, the topic of the best first and what has none last."""
    by_topic: dict[str, list[Chosen]] = defaultdict(list)
    for one in chosen:
        by_topic[_topic(one)].append(one)
    topics = sorted(by_topic, key=lambda topic: topic == OTHER)  # stable: the best stay first
    return tuple(_note(one, topic) for topic in topics for one in by_topic[topic])


def _topic(chosen: Chosen) -> str:
    return next((LABELS[slug] for slug in chosen.topics if slug in LABELS), OTHER)


def _note(chosen: Chosen, topic: str) -> AlsoNoted:
    lead = chosen.items[0]
    return AlsoNoted(
        story_id=chosen.story.pk,
        title=lead.title,
        source=str(lead.source),
        topic=topic,
        last_seq=max(item.seq for item in chosen.items),
    )


def unchanged(told: Covered, *chosen: Sequence[Chosen]) -> int:
    """How many stories of the edition before have no news."""
    return len(told.last_stories - {one.story.pk for some in chosen for one in some})
