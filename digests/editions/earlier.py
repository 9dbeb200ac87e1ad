"""What earlier editions told, so that nothing is told twice and news of it is known as such."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from accounts.models import User
from digests.editions.edition import Before
from digests.models import Digest
from feeds.models import StoryRedirect

REMEMBERED = timedelta(days=14)


@dataclass(slots=True)
class Covered:
    """By the id that a story has now. `seqs` gives the newest arrival of it that was known,
    `before` what was told last, `noted` the same as `seqs` of those only noted."""

    seqs: dict[int, int] = field(default_factory=dict)
    before: dict[int, Before] = field(default_factory=dict)
    noted: dict[int, int] = field(default_factory=dict)
    item_ids: set[int] = field(default_factory=set)
    last_date: date | None = None
    last_end: datetime | None = None
    last_stories: set[int] = field(default_factory=set)


def covered_before(user: User | None, day: date) -> Covered:
    """What the editions of the two weeks before `day` told."""
    recent = Digest.objects.of(user).filter(date__lt=day, date__gte=day - REMEMBERED)
    editions = list(recent.order_by("date"))
    renamed = _renamed(editions)
    told = Covered()
    for edition in editions:
        told.last_date, told.last_end = edition.date, edition.known_until
        told.last_stories = set()
        for story in edition.content["stories"]:
            pk = renamed.get(story["story_id"], story["story_id"])
            _remember(told, pk, story, edition.date)
        for also in edition.content["also"]:
            pk = renamed.get(also["story_id"], also["story_id"])
            told.noted[pk] = max(told.noted.get(pk, -1), also.get("last_seq", -1))
    return told


def _remember(told: Covered, pk: int, story: dict[str, Any], day: date) -> None:
    told.seqs[pk] = max(told.seqs.get(pk, -1), story["last_seq"])
    told.before[pk] = Before(story["headline"], day.isoformat())
    told.item_ids.update(citation["item_id"] for citation in story["citations"])
    told.last_stories.add(pk)


def _renamed(editions: list[Digest]) -> dict[int, int]:
    """Where stories went that were merged since: {old id: new id}."""
    ids = {
        story["story_id"]
        for edition in editions
        for story in (*edition.content["stories"], *edition.content["also"])
    }
    if not ids:
        return {}
    return dict(StoryRedirect.objects.filter(old_id__in=ids).values_list("old_id", "story_id"))
