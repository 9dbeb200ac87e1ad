"""The cited sentences on a story for its page."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

from accounts.models import User
from ainews_site.infra.memo import cached
from digests.editions.edition import CitedSentence
from digests.editions.summarise import EXTRACTIVE, Article, write_stories
from feeds.models import Item, ItemBody
from feeds.models.narrow import fetch
from feeds.stories.story_members import visible_ids
from feeds.stories.story_page import StoryPage

_EDITIONS = (
    "SELECT CAST(content AS text) FROM digests_digest WHERE (user_id = %s OR user_id IS NULL)"
    " AND date >= %s AND CAST(content AS text) LIKE %s"
    " ORDER BY date DESC, user_id IS NULL LIMIT %s"
)
MIN_ARTICLES, MIN_SOURCES = 3, 2
"""With fewer articles or sources a story has no summary."""
MAX_EDITIONS = 20
"""So many of the newest editions are searched for the story."""
FRESH = 900
"""Lifetime of a cached summary in seconds. Its validator follows the articles."""


@dataclass(frozen=True)
class PageSummary:
    """The sentences, and {number: id of the cited item}. `articles` is how many were given."""

    sentences: tuple[CitedSentence, ...]
    cited: dict[int, int]
    written_by: str = EXTRACTIVE
    why: CitedSentence | None = None

    @property
    def article_count(self) -> int:
        return len(self.cited)

    @cached_property
    def quoted(self) -> dict[int, str]:
        """{id of an item: the first sentence that cites it}."""
        first: dict[int, str] = {}
        for sentence in (*self.sentences, *([self.why] if self.why else [])):
            for number in sentence.cites:
                first.setdefault(self.cited[number], sentence.text)
        return first

    @cached_property
    def numbers(self) -> dict[int, int]:
        """{id of an item: its number}, of those that a sentence cites."""
        return {item: n for n, item in self.cited.items() if item in self.quoted}


def story_summary(user: User, page: StoryPage) -> PageSummary | None:
    """Return what happened in a story: as its newest edition says it, or extracted now.

    An edition without a model's sentences is used only until the story goes on. None if there are
    too few articles or sources, or if no sentence is good enough.
    """
    if page.original_count < MIN_ARTICLES or page.source_count < MIN_SOURCES:
        return None
    return _from_edition(user, page) or _extracted(page)


def _from_edition(user: User, page: StoryPage) -> PageSummary | None:
    """The sentences of the newest edition, of the reader or of the site, that has the story.

    They are used if the reader can see all the articles that they cite in this story, so an item
    that was moved to another story is not cited.
    """
    newest = max(item.seq for item in (*page.dots, *page.coverage))
    for entry in _entries(user, page):
        cited = {one["number"]: one["item_id"] for one in entry["citations"]}
        written_by = entry.get("written_by") or EXTRACTIVE
        is_current = written_by != EXTRACTIVE or entry["last_seq"] >= newest
        is_whole = not entry["is_update"] and len(cited) >= MIN_ARTICLES
        if entry["sentences"] and is_current and is_whole and _can_see(user, page, cited.values()):
            sentences = tuple(_sentence(one) for one in entry["sentences"])
            why = _sentence(entry["why"]) if entry.get("why") else None
            return PageSummary(sentences, cited, written_by, why)
    return None


def _can_see(user: User, page: StoryPage, ids: Collection[int]) -> bool:
    """Whether these are items of the story that the reader can see."""
    missing = set(ids) - page.item_ids
    if missing and not page.is_whole:
        missing -= visible_ids(user, page.story, missing)
    return not missing


def _entries(user: User, page: StoryPage) -> list[dict[str, Any]]:
    """The story in editions, newest first. Their text is searched, so one query finds them."""
    story = page.story.pk
    values = [user.pk, _day_before(page), f'%"story_id": {story},%', MAX_EDITIONS]
    contents = [json.loads(content) for (content,) in fetch(_EDITIONS, values)]
    return [one for content in contents for one in content["stories"] if one["story_id"] == story]


def _day_before(page: StoryPage) -> date:
    """Earlier editions, in any time zone, cannot have the story."""
    return page.story.first_at.date() - timedelta(days=1)


def _sentence(plain: dict[str, Any]) -> CitedSentence:
    return CitedSentence(plain["text"], tuple(plain["cites"]))


def _extracted(page: StoryPage) -> PageSummary | None:
    """Summarise the reports of the page, those in the lead's language if they are enough.

    The result is cached for all readers who have the same reports.
    """
    languages = {page.lead.language, ""}
    reports = [item for item in page.reports if item.language in languages]
    if len(reports) < MIN_ARTICLES:
        reports = page.reports
    cited = {number: item.pk for number, item in enumerate(reports, 1)}
    state = [(item.pk, item.updated_at and item.updated_at.timestamp()) for item in reports]
    key = "-".join(str(item.pk) for item in reports)
    rows, why, written_by = cached(
        f"story-summary-{key}", lambda: _summarise(reports), fresh=FRESH, validator=state
    )
    if not rows:
        return None
    sentences = tuple(CitedSentence(text, cites) for text, cites in rows)
    return PageSummary(sentences, cited, written_by, CitedSentence(*why) if why else None)


def _summarise(reports: list[Item]) -> tuple[list[Any], Any, str]:
    """Summarise, as plain values for the cache. A stored text of a model is used."""
    bodies = dict(
        ItemBody.objects.filter(pk__in=[item.pk for item in reports]).values_list("pk", "text")
    )
    articles = [Article(item.title, bodies.get(item.pk) or item.summary) for item in reports]
    summary = write_stories([articles])[0]
    why = (summary.why.text, summary.why.cites) if summary.why else None
    return [(one.text, one.cites) for one in summary.sentences], why, summary.written_by
