"""Write an edition: each sentence is held up by the source that it cites."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime

from django.db import router, transaction
from django.utils import timezone

from accounts.models import User
from digests.editions.choose import Chosen, choose
from digests.editions.earlier import Covered, covered_before
from digests.editions.edition import Citation, Edition, EditionStory, EditionTrend
from digests.editions.schedule import schedule_of
from digests.editions.sections import TrendFinder, also_noted, unchanged
from digests.editions.summarise import Article, Summary, write_stories
from digests.editions.trending import trends_of
from digests.editions.window import DAY, Window, reader_today, since_last, window_of
from digests.models import Digest
from feeds.models import Item, ItemBody

log = logging.getLogger(__name__)

MAX_CITED = 6
Progress = Callable[[int, int], None]
"""Covered how many stories are written, and of how many."""


def write_digest(
    user: User | None,
    day: date | None = None,
    *,
    now: datetime | None = None,
    is_due: bool = False,
    seconds_for_model: float = 0.0,
    on_progress: Progress = lambda done, total: None,
    find_trends: TrendFinder = trends_of,
) -> Digest:
    """Write and keep the edition of `day` (the reader's today by default); without a reader,
    everyone's. One that `is_due` covers the time until now, even if it comes late.

    Written again, an edition replaces itself; those before it decide what is an update. What was
    there stays until all of the new one is written. Only the worker has `seconds_for_model`: a
    page waits for none.
    """
    now = now or timezone.now()
    schedule = schedule_of(user)
    day = day or reader_today(schedule.zone_name, now)
    told = covered_before(user, day)
    window = (since_last if is_due else window_of)(day, schedule, now, told.last_end)
    main, also = choose(user, window, told, now)
    trends = find_trends(user, window)
    edition = _edition(main, also, told, window, trends, seconds_for_model, on_progress)
    digest = _keep(user, day, window, edition)
    log.info(
        "digest_written user_id=%s date=%s stories=%s", user and user.pk, day, len(edition.stories)
    )
    return digest


def _keep(user: User | None, day: date, window: Window, edition: Edition) -> Digest:
    kept = {
        "content": edition.as_json(),
        "written_by": edition.written_by,
        "starts_at": window.start,
        "ends_at": window.end,
    }
    # A page may be what writes: the router then knows that it needs the primary.
    with transaction.atomic(using=router.db_for_write(Digest)):
        same = Digest.objects.of(user).filter(date=day).first()
        if same is not None and same.content == kept["content"]:
            # A quiet one is looked at all day: pages, feeds and caches need not hear of it.
            same.starts_at, same.ends_at = window.start, window.end
            same.save(update_fields=["starts_at", "ends_at"])
            return same
        digest, _ = Digest.objects.update_or_create(user=user, date=day, defaults=kept)
        if user is not None:
            user.bump_cache_version()
    return digest


def _edition(
    main: list[Chosen],
    also: list[Chosen],
    told: Covered,
    window: Window,
    trends: Sequence[EditionTrend],
    seconds: float,
    on_progress: Progress,
) -> Edition:
    texts = _texts(item for chosen in main for item in _cited(chosen))
    summaries = _summaries(main, texts, seconds, on_progress)
    everything = [item for chosen in (*main, *also) for item in chosen.items]
    return Edition(
        stories=tuple(map(_story, main, summaries)),
        also=also_noted(also),
        item_count=len(everything),
        source_count=len({item.source_id for item in everything}),
        trends=tuple(trends),
        unchanged=unchanged(told, main, also),
        since=told.last_date.isoformat() if told.last_date else "",
        days=max(1, round((window.end - window.start) / DAY)),
    )


def _summaries(
    main: Sequence[Chosen], texts: dict[int, str], seconds: float, on_progress: Progress
) -> list[Summary]:
    """One by one where a model may be asked, as that takes its time."""
    articles = [[Article(item.title, texts[item.pk]) for item in _cited(one)] for one in main]
    if not seconds:
        return write_stories(articles)
    until = time.monotonic() + seconds
    summaries: list[Summary] = []
    for done, one in enumerate(articles):
        on_progress(done, len(articles))
        summaries += write_stories([one], seconds=max(0.0, until - time.monotonic()))
    return summaries


def _cited(chosen: Chosen) -> list[Item]:
    """The first item of each source, originals before copies: what sentences come from."""
    first: dict[int, Item] = {}
    for item in chosen.items:
        first.setdefault(item.source_id, item)
    originals = [item for item in first.values() if item.copy_of is None]
    return (originals or list(first.values()))[:MAX_CITED]


def _texts(items: Iterable[Item]) -> dict[int, str]:
    """The texts of all that is cited, in one query; the summary where there is no text."""
    by_id = {item.pk: item for item in items}
    bodies = dict(ItemBody.objects.filter(pk__in=by_id).values_list("pk", "text"))
    return {pk: bodies.get(pk) or item.summary for pk, item in by_id.items()}


def _story(chosen: Chosen, summary: Summary) -> EditionStory:
    return EditionStory(
        story_id=chosen.story.pk,
        headline=chosen.items[0].title if chosen.is_update else _headline(chosen),
        sentences=summary.sentences,
        citations=tuple(_citation(n, item) for n, item in enumerate(_cited(chosen), 1)),
        source_count=max(1, len(chosen.source_ids)),
        topics=chosen.topics,
        is_update=chosen.is_update,
        last_seq=max(item.seq for item in chosen.items),
        why=summary.why,
        written_by=summary.written_by,
        reasons=chosen.reasons,
        before=chosen.before,
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
