"""Write an edition and store it. Every sentence is supported by the items that it cites."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime

from django.db import router, transaction
from django.utils import timezone

from accounts.models import User
from digests.channels.strip import ARTICLE, COPY, DISCUSSION
from digests.editions.choose import WindowStory, choose_stories
from digests.editions.earlier import Covered, covered_before
from digests.editions.edition import (
    Citation,
    CoverageMark,
    Edition,
    EditionStory,
    EditionTrend,
)
from digests.editions.schedule import schedule_of
from digests.editions.sections import TrendFinder, also_noted, count_unchanged
from digests.editions.summarise import Article, Summary, write_stories
from digests.editions.trending import trends_of
from digests.editions.window import DAY, Window, reader_today, since_last, window_of
from digests.models import Digest
from feeds.ai.language.complete import is_configured
from feeds.models import Item, ItemBody
from feeds.stories.members import spread

logger = logging.getLogger(__name__)

MAX_CITED = 6
MAX_MARKS = 16
"""Articles of a story that its coverage strip shows."""
Progress = Callable[[int, int], None]
"""Called with the number of stories that are written, and their total number."""


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
    """Write and store the edition of `day` (by default the reader's today), or without a reader
    that of the site.

    It replaces an existing edition of that day when it is complete. Earlier editions decide which
    stories are updates. If `is_due`, it covers the time until now even if it is late. Only workers
    pass `seconds_for_model`, the time limit for the language model; pages do not wait for it.
    """
    now = now or timezone.now()
    schedule = schedule_of(user)
    day = day or reader_today(schedule.zone_name, now)
    covered = covered_before(user, day)
    window = (since_last if is_due else window_of)(day, schedule, now, covered.last_end)
    main, also = choose_stories(user, window, covered, now)
    trends = find_trends(user, window)
    edition = _build_edition(main, also, covered, window, trends, seconds_for_model, on_progress)
    digest = _store(user, day, window, edition)
    logger.info(
        "digest_written user_id=%s date=%s stories=%s", user and user.pk, day, len(edition.stories)
    )
    return digest


def _store(user: User | None, day: date, window: Window, edition: Edition) -> Digest:
    values = {
        "content": edition.as_json(),
        "written_by": edition.written_by,
        "starts_at": window.start,
        "ends_at": window.end,
    }
    # Pages may write too, so the router must choose the primary.
    with transaction.atomic(using=router.db_for_write(Digest)):
        same = Digest.objects.of(user).filter(date=day).first()
        if same is not None and same.content == values["content"]:
            # The content is unchanged, so feeds and caches stay valid.
            same.starts_at, same.ends_at = window.start, window.end
            same.save(update_fields=["starts_at", "ends_at"])
            return same
        digest, _ = Digest.objects.update_or_create(user=user, date=day, defaults=values)
        if user is not None:
            user.bump_cache_version()
    return digest


def _build_edition(
    main: list[WindowStory],
    also: list[WindowStory],
    covered: Covered,
    window: Window,
    trends: Sequence[EditionTrend],
    seconds: float,
    on_progress: Progress,
) -> Edition:
    texts = _texts(item for chosen in main for item in _cited(chosen))
    summaries = _summaries(main, texts, seconds, on_progress)
    everything = [item for chosen in (*main, *also) for item in chosen.items]
    return Edition(
        stories=tuple(map(_build_story, main, summaries)),
        also=also_noted(also),
        item_count=len(everything),
        source_count=len({item.source_id for item in everything}),
        trends=tuple(trends),
        unchanged=count_unchanged(covered, main, also),
        since=covered.last_date.isoformat() if covered.last_date else "",
        days=max(1, round((window.end - window.start) / DAY)),
    )


def _summaries(
    main: Sequence[WindowStory], texts: dict[int, str], seconds: float, on_progress: Progress
) -> list[Summary]:
    """Summarise the stories; one by one if a model may be called, to report the progress."""
    articles = [[Article(item.title, texts[item.pk]) for item in _cited(story)] for story in main]
    if not seconds or not is_configured():
        return write_stories(articles)
    until = time.monotonic() + seconds
    summaries: list[Summary] = []
    for done, story_articles in enumerate(articles):
        on_progress(done, len(articles))
        summaries += write_stories([story_articles], seconds=max(0.0, until - time.monotonic()))
    return summaries


def _cited(chosen: WindowStory) -> list[Item]:
    """The items that may be cited: the first of each source, without copies if there are
    originals."""
    first: dict[int, Item] = {}
    for item in chosen.items:
        first.setdefault(item.source_id, item)
    originals = [item for item in first.values() if item.copy_of is None]
    return (originals or list(first.values()))[:MAX_CITED]


def _texts(items: Iterable[Item]) -> dict[int, str]:
    """{item id: its text, or its summary if it has none}, in one query."""
    by_id = {item.pk: item for item in items}
    bodies = dict(ItemBody.objects.filter(pk__in=by_id).values_list("pk", "text"))
    return {pk: bodies.get(pk) or item.summary for pk, item in by_id.items()}


def _build_story(chosen: WindowStory, summary: Summary) -> EditionStory:
    return EditionStory(
        story_id=chosen.story.pk,
        headline=chosen.items[0].title if chosen.is_update else _headline(chosen),
        sentences=summary.sentences,
        citations=tuple(_build_citation(n, item) for n, item in enumerate(_cited(chosen), 1)),
        source_count=max(1, len(chosen.source_ids)),
        topics=chosen.topics,
        is_update=chosen.is_update,
        last_seq=max(item.seq for item in chosen.items),
        why=summary.why,
        written_by=summary.written_by,
        reasons=chosen.reasons,
        before=chosen.before,
        article_count=len(chosen.items),
        coverage=_coverage(chosen),
    )


def _coverage(chosen: WindowStory) -> tuple[CoverageMark, ...]:
    """Marks of at most MAX_MARKS articles, evenly from the first to the latest."""
    items = spread(sorted(chosen.items, key=lambda item: item.pk), MAX_MARKS)
    return tuple(
        CoverageMark(item.published_at.astimezone(UTC).isoformat(), str(item.source), _kind(item))
        for item in items
    )


def _kind(item: Item) -> str:
    if item.source.is_discussion:
        return DISCUSSION
    return ARTICLE if item.copy_of is None else COPY


def _headline(chosen: WindowStory) -> str:
    """The story's headline if this reader can see the item that it comes from."""
    visible = {item.pk for item in chosen.items}
    story = chosen.story
    if story.title_pinned or story.lead_id in visible:
        return story.title
    return chosen.items[0].title


def _build_citation(number: int, item: Item) -> Citation:
    return Citation(
        number=number,
        item_id=item.pk,
        title=item.title,
        url=item.url,
        source=str(item.source),
        published=item.published_at.astimezone(UTC).isoformat(),
    )
