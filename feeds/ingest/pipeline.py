"""The ingest pipeline: polls sources, fetches full texts, and groups new items into stories."""

import logging
import math
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from django.db import transaction

from ainews_site.infra.stopping import is_stopping
from ainews_site.observe import tracing
from feeds.coordination.announce import announce_news
from feeds.coordination.revisions import CONTENT, GROUPING, bump_revision
from feeds.core.errors import FeedError
from feeds.core.sandbox import Sandbox
from feeds.html.markup import html_to_store
from feeds.html.sanitise import to_text
from feeds.ingest.fulltext import extract_full_text
from feeds.ingest.outcome import Outcome
from feeds.ingest.poll import PollReport, poll_sources
from feeds.models import Item, ItemBody
from feeds.stories.grouping.group import group_new_items
from feeds.stories.grouping.refresh import refresh_stories

logger = logging.getLogger(__name__)

MAX_PAGES = 20
"""Number of article pages fetched per source and poll. Older entries keep the feed's text."""
FULL_TEXT_SECONDS = 90.0
"""Time limit for the article pages of one batch of sources. The next batch waits for them."""


def ingest_sources(
    source_ids: Iterable[int],
    *,
    now: datetime | None = None,
    on_result: Callable[[Outcome], None] | None = None,
    seconds: float = math.inf,
) -> PollReport:
    """Poll these sources for at most `seconds`, and group the new items into stories.

    `on_result` is called for each outcome, and `now` replaces the present time in a replay.
    """
    with tracing.span("poll") as span:
        report = poll_sources(source_ids, now=now, on_result=on_result, seconds=seconds)
        span.set("ainews.sources", len(report.outcomes))
        span.set("ainews.new_items", report.new)
    until = time.monotonic() + FULL_TEXT_SECONDS
    with Sandbox() as sandbox:
        for outcome in report.outcomes:
            if outcome.source.full_text and outcome.stored.new_ids:
                complete_texts(outcome.stored.new_ids, sandbox, until)
    with tracing.span("group"):
        group_new_items()
    _refresh_updated(report)
    if report.new:
        announce_news()
    return report


def _refresh_updated(report: PollReport) -> None:
    """Refresh the stories of updated items, and invalidate the ranking if topics changed."""
    if any(outcome.stored.has_other_topics for outcome in report.outcomes):
        bump_revision(GROUPING)
    updated = [pk for outcome in report.outcomes for pk in outcome.stored.updated_ids]
    if updated:
        items = Item.objects.filter(pk__in=updated).exclude(story=None).order_by()
        refresh_stories(items.values_list("story_id", flat=True).distinct())


def complete_texts(item_ids: Iterable[int], sandbox: Sandbox, until: float = math.inf) -> int:
    """Fetch the full texts of the newest of these items from their pages.

    Stops at the monotonic time `until`, or when the process is asked to stop. Returns the number
    of items that got a text.
    """
    items = Item.objects.filter(pk__in=list(item_ids)).exclude(url="").newest_first()
    done = 0
    for item in items[:MAX_PAGES]:
        if time.monotonic() > until or is_stopping():
            break
        try:
            done += complete_text(item, sandbox)
        except FeedError as error:
            logger.info("full_text_failed item_id=%s reason=%s", item.pk, error)
    return done


def complete_text(item: Item, sandbox: Sandbox) -> int:
    """Fetch the full text of an item from its page, and store it. Returns the number of texts.

    Raises FeedError, whose message is for readers.
    """
    html = extract_full_text(item.url, sandbox)
    text = to_text(html)
    with transaction.atomic():
        body = ItemBody.objects.filter(pk=item.pk)
        done = body.update(html=html_to_store(html, text), text=text, is_full_text=True)
        bump_revision(CONTENT)
    return done
