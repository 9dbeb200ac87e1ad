"""Write one reader's edition of one day: each sentence is held up by the source that it cites."""

import logging
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from django.utils import timezone

from accounts.models import User
from digests.choose import Chosen, choose
from digests.edition import AlsoNoted, Citation, Edition, EditionStory
from digests.models import Digest
from digests.summarise import Telling, Told, tell_stories
from digests.window import reader_today, window_of
from feeds.models import Item, ItemBody

log = logging.getLogger(__name__)

MOST_CITED = 6


def write_digest(
    user: User,
    day: date | None = None,
    *,
    now: datetime | None = None,
    seconds_for_model: float = 0.0,
) -> Digest:
    """Write and keep the edition of `day` (the reader's today by default).

    Written again, an edition replaces itself; the day before decides what is an update. Only the
    worker has `seconds_for_model`: a page waits for none.
    """
    now = now or timezone.now()
    day = day or reader_today(user.time_zone, now)
    main, also = choose(user, window_of(day, user.time_zone, now), _told_before(user, day), now)
    edition = _edition(main, also, seconds_for_model)
    digest, _ = Digest.objects.update_or_create(
        user=user,
        date=day,
        defaults={"content": edition.as_json(), "written_by": edition.written_by},
    )
    log.info("digest_written user_id=%s date=%s stories=%s", user.pk, day, len(edition.stories))
    return digest


def _told_before(user: User, day: date) -> dict[int, int]:
    before = Digest.objects.filter(user=user, date=day - timedelta(days=1)).first()
    if before is None:
        return {}
    return {story["story_id"]: story["last_seq"] for story in before.content["stories"]}


def _edition(main: list[Chosen], also: list[Chosen], seconds: float) -> Edition:
    texts = _texts(item for chosen in main for item in _cited(chosen))
    told = tell_stories(
        [[Telling(item.title, texts[item.pk]) for item in _cited(chosen)] for chosen in main],
        seconds=seconds,
    )
    everything = [item for chosen in (*main, *also) for item in chosen.items]
    return Edition(
        stories=tuple(map(_story, main, told)),
        also=tuple(AlsoNoted(c.story.pk, c.items[0].title, str(c.items[0].source)) for c in also),
        item_count=len(everything),
        source_count=len({item.source_id for item in everything}),
    )


def _cited(chosen: Chosen) -> list[Item]:
    """The first item of each source, originals before copies: what sentences come from."""
    first: dict[int, Item] = {}
    for item in chosen.items:
        first.setdefault(item.source_id, item)
    originals = [item for item in first.values() if item.copy_of is None]
    return (originals or list(first.values()))[:MOST_CITED]


def _texts(items: Iterable[Item]) -> dict[int, str]:
    """The texts of all that is cited, in one query; the summary where there is no text."""
    by_id = {item.pk: item for item in items}
    bodies = dict(ItemBody.objects.filter(pk__in=by_id).values_list("pk", "text"))
    return {pk: bodies.get(pk) or item.summary for pk, item in by_id.items()}


def _story(chosen: Chosen, told: Told) -> EditionStory:
    return EditionStory(
        story_id=chosen.story.pk,
        headline=chosen.items[0].title if chosen.is_update else _headline(chosen),
        sentences=told.sentences,
        citations=tuple(_citation(n, item) for n, item in enumerate(_cited(chosen), 1)),
        source_count=max(1, len(chosen.source_ids)),
        topics=tuple(chosen.story.topics),
        is_update=chosen.is_update,
        last_seq=max(item.seq for item in chosen.items),
        why=told.why,
        written_by=told.written_by,
    )


def _headline(chosen: Chosen) -> str:
    """The story's own headline when this reader may see where it comes from."""
    visible = {item.pk for item in chosen.items}
    story = chosen.story
    if story.title_pinned or story.lead_id in visible:
        return story.title
    return chosen.items[0].title


def _citation(number: int, item: Item) -> Citation:
    return Citation(
        number=number,
        item_id=item.pk,
        title=item.title,
        url=item.url,
        source=str(item.source),
        published=item.published_at.astimezone(UTC).isoformat(),
    )
