"""The sections of an edition besides its stories: "Also noted" and unchanged stories."""

from collections import defaultdict
from collections.abc import Sequence

from digests.editions.choose import WindowStory
from digests.editions.earlier import Covered
from digests.editions.edition import AlsoNoted
from feeds.core.topics import LABELS

OTHER = "Other news"


def also_noted(chosen: Sequence[WindowStory]) -> tuple[AlsoNoted, ...]:
    """Sort stories by topic: the topic of the best story first, stories without a topic last."""
    by_topic: dict[str, list[WindowStory]] = defaultdict(list)
    for story in chosen:
        by_topic[_topic(story)].append(story)
    topics = sorted(by_topic, key=lambda topic: topic == OTHER)  # stable: keeps the order
    return tuple(_note(story, topic) for topic in topics for story in by_topic[topic])


def _topic(chosen: WindowStory) -> str:
    return next((LABELS[slug] for slug in chosen.topics if slug in LABELS), OTHER)


def _note(chosen: WindowStory, topic: str) -> AlsoNoted:
    lead = chosen.items[0]
    return AlsoNoted(
        story_id=chosen.story.pk,
        title=lead.title,
        source=str(lead.source),
        topic=topic,
        last_seq=max(item.seq for item in chosen.items),
    )


def count_unchanged(covered: Covered, *chosen: Sequence[WindowStory]) -> int:
    """The number of stories of the previous edition that have no news."""
    return len(covered.last_stories - {c.story.pk for stories in chosen for c in stories})
