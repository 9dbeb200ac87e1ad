"""Write an edition and store it. Every sentence is supported by the items that it cites."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime

from django.utils import timezone

from accounts.models import User
from digests.channels.strip import ARTICLE, COPY, DISCUSSION
from digests.editions.choose import WindowStory, choose_stories
from digests.editions.edition import (
    Citation,
    CoverageMark,
    Edition,
    EditionStory,
    EditionTrend,
)
from digests.editions.plan import Plan, Request, plan_editions
from digests.editions.schedule import schedule_of
from digests.editions.sections import also_noted, count_unchanged
from digests.editions.store import store_editions
from digests.editions.summarise import MAX_EXTRACTED_FROM, Article, Summary, write_stories
from digests.editions.trending import trends_of
from digests.editions.window import DAY, reader_today
from digests.editions.window_items import Part, parts_of
from digests.models import Digest
from feeds.ai.language.complete import is_configured
from feeds.models import Item
from feeds.models.narrow import fetch_by_id
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
) -> Digest:
    """Write and store the edition of `day` (by default the reader's today), or without a reader
    that of the site.

    It replaces an existing edition of that day when it is complete. Earlier editions decide which
    stories are updates. If `is_due`, it covers the time until now even if it is late. Only workers
    pass `seconds_for_model`, the time limit for the language model; pages do not wait for it.
    """
    now = now or timezone.now()
    day = day or reader_today(schedule_of(user).zone_name, now)
    return write_digests(
        [Request(user, day, is_due)],
        now,
        seconds_for_model=seconds_for_model,
        on_progress=on_progress,
    )[0]


def write_digests(
    requests: Sequence[Request],
    now: datetime,
    *,
    seconds_for_model: float = 0.0,
    on_progress: Progress = lambda done, total: None,
) -> list[Digest]:
    """Write and store editions of different readers. The number of queries does not grow with
    their number, but if they have very many items, they are written and stored in parts. See
    `write_digest`."""
    digests: list[Digest] = []
    for part in parts_of(plan_editions(requests, now)):
        digests += _write_part(part, now, seconds_for_model, on_progress)
    return digests


def _write_part(
    part: Part, now: datetime, seconds_for_model: float, on_progress: Progress
) -> list[Digest]:
    """Write and store the editions of a part. Its items are freed when this returns."""
    plans = part.plans
    chosen = choose_stories(part, now)
    trends = trends_of(plans)
    texts = _texts(item for main, _ in chosen for story in main for item in _cited(story))
    editions = []
    for plan, (main, also), own in zip(plans, chosen, trends, strict=True):
        summaries = _summaries(main, texts, seconds_for_model, on_progress)
        editions.append(_build_edition(plan, main, also, summaries, own))
    digests = store_editions(plans, editions)
    for digest in digests:
        logger.info(
            "digest_written user_id=%s date=%s stories=%s",
            digest.user_id,
            digest.date,
            len(digest.content["stories"]),
        )
    return digests


def _build_edition(
    plan: Plan,
    main: list[WindowStory],
    also: list[WindowStory],
    summaries: Sequence[Summary],
    trends: Sequence[EditionTrend],
) -> Edition:
    covered, window = plan.covered, plan.window
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
    """{item id: its text, or its summary if it has none}, in one query.

    Without a model only the beginnings are read, which extracts are made of.
    """
    by_id = {item.pk: item for item in items}
    text = "text" if is_configured() else f"substr(text, 1, {MAX_EXTRACTED_FROM})"
    query = f"SELECT item_id, {text} FROM feeds_itembody WHERE {{}}"  # noqa: S608 - constants
    bodies = dict(fetch_by_id(query, "item_id", by_id))
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
