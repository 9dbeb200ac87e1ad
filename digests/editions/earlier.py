"""What earlier editions covered, so that stories are not repeated and updates are recognised."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q

from digests.editions.edition import EarlierCoverage
from digests.models import Digest
from feeds.models import StoryRedirect

LOOK_BACK = timedelta(days=14)


@dataclass(slots=True)
class Covered:
    """What earlier editions covered. All dictionaries are keyed by the current story id.

    `seqs` has the highest item seq that was covered, `before` the last headline, `noted` is like
    `seqs` for stories that were only listed under "Also noted". `item_ids` are all cited items;
    the `last_*` attributes describe the latest edition.
    """

    seqs: dict[int, int] = field(default_factory=dict)
    before: dict[int, EarlierCoverage] = field(default_factory=dict)
    noted: dict[int, int] = field(default_factory=dict)
    item_ids: set[int] = field(default_factory=set)
    last_date: date | None = None
    last_end: datetime | None = None
    last_stories: set[int] = field(default_factory=set)


def covered_before(days: Sequence[tuple[int | None, date]]) -> list[Covered]:
    """Collect what the editions of the two weeks before a day covered, for pairs of a reader, or
    None for the site, and a day."""
    own = _recent(days)
    renamed = _renamed([edition for editions in own for edition in editions])
    return [_covered(editions, renamed) for editions in own]


def _recent(days: Sequence[tuple[int | None, date]]) -> list[list[Digest]]:
    """The editions of each pair, in order, by one query for readers and one for the site."""
    if not days:
        return []
    users = {user for user, _ in days if user is not None}
    owners = [Q(user__in=users)] if users else []
    owners += [Q(user=None)] if any(user is None for user, _ in days) else []
    first, last = min(day for _, day in days), max(day for _, day in days)
    by_user: defaultdict[int | None, list[Digest]] = defaultdict(list)
    for owner in owners:
        recent = Digest.objects.filter(owner, date__gte=first - LOOK_BACK, date__lt=last)
        for edition in recent.order_by("date"):
            by_user[edition.user_id].append(edition)
    return [
        [edition for edition in by_user[user] if day - LOOK_BACK <= edition.date < day]
        for user, day in days
    ]


def _covered(editions: Iterable[Digest], renamed: Mapping[int, int]) -> Covered:
    covered = Covered()
    for edition in editions:
        covered.last_date, covered.last_end = edition.date, edition.known_until
        covered.last_stories = set()
        for story in edition.content["stories"]:
            pk = renamed.get(story["story_id"], story["story_id"])
            _add_story(covered, pk, story, edition.date)
        for also in edition.content["also"]:
            pk = renamed.get(also["story_id"], also["story_id"])
            covered.noted[pk] = max(covered.noted.get(pk, -1), also.get("last_seq", -1))
    return covered


def _add_story(covered: Covered, pk: int, story: dict[str, Any], day: date) -> None:
    covered.seqs[pk] = max(covered.seqs.get(pk, -1), story["last_seq"])
    covered.before[pk] = EarlierCoverage(story["headline"], day.isoformat())
    covered.item_ids.update(citation["item_id"] for citation in story["citations"])
    covered.last_stories.add(pk)


def _renamed(editions: list[Digest]) -> dict[int, int]:
    """{old story id: new story id} of the stories that were merged since."""
    ids = {
        story["story_id"]
        for edition in editions
        for story in (*edition.content["stories"], *edition.content["also"])
    }
    if not ids:
        return {}
    return dict(StoryRedirect.objects.filter(old_id__in=ids).values_list("old_id", "story_id"))
