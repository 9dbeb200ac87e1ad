"""Rows of lists, rendered once for everything that they show.

After an act of the reader or an arrival nearly all rows of a page are as before. A row is made of
plain values alone, so that equal rows have the same HTML for all readers, and a row in which
anything has changed is another one. Ages are values too.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from django.template import engines
from django.urls import get_script_prefix
from django.utils.safestring import SafeString, mark_safe

from accounts.models import User
from ainews_site.infra.process_state import resets_process_state
from feeds.models import Item
from feeds.reading.ranked import RankedStory
from feeds.web.coverage_strip import coverage_strip
from feeds.web.formats import ago, by_source

MAX_CACHED = 2_000
"""Rows in the cache, about 8 MB."""
EXCERPTS = {User.Density.COMPACT: 0, User.Density.COSY: 150, User.Density.ROOMY: 280}
"""Characters of the excerpt in a row, by density."""
MAX_LISTED = 3
"""Further articles in a row of a story. The others are on its page."""


class Icon(NamedTuple):
    """A source as its icon shows it."""

    source_id: int
    source: str


class Article(NamedTuple):
    """A further article of a story."""

    pk: int
    title: str
    source: str
    age: str
    is_copy: bool


class StoryRow(NamedTuple):
    """All that the row of a story shows. `summary`, `url` and the like are its lead's. `excerpt` is
    the number of characters of the summary that it shows."""

    story: int
    title: str
    lead: int
    source_id: int
    source: str
    summary: str
    excerpt: int
    url: str
    image_url: str
    age: str
    icons: tuple[Icon, ...]
    articles: tuple[Article, ...]
    strip: str
    topics: tuple[str, ...]
    why: str
    other_sources: int
    coverage_count: int
    is_unread: bool
    is_saved: bool
    is_followed: bool
    is_lead: bool
    """Whether it is the first row of the page."""


class ItemRow(NamedTuple):
    """All that the row of an item shows. The names are those of an item."""

    pk: int
    story_id: int | None
    title: str
    source_id: int
    source_title: str
    summary: str
    excerpt: int
    url: str
    image_url: str
    age: str
    tellers: int
    is_read: bool
    is_saved: bool
    is_hidden: bool


def story_row(
    ranked: RankedStory,
    names: Mapping[int, str],
    discussions: Collection[int],
    topics: int,
    *,
    density: str,
    is_lead: bool = False,
) -> SafeString:
    """The row of a story. `names` are the reader's names of sources, `discussions` those where
    people discuss, `topics` is the number of topics to show. The first row shows a picture in each
    density, that of any article."""
    lead, source = ranked.lead, _name(ranked.lead, names)
    is_wide = ranked.other_sources > 0
    row = StoryRow(
        story=ranked.story.pk,
        title=ranked.title,
        lead=lead.pk,
        source_id=lead.source_id,
        source=source,
        summary=lead.summary,
        excerpt=EXCERPTS[User.Density.ROOMY if is_lead else User.Density(density)],
        url=lead.url,
        image_url=_first_image(ranked.items) if is_lead else _image(lead, density),
        age=ago(ranked.newest_at),
        icons=tuple(Icon(item.source_id, _name(item, names)) for item in by_source(ranked.items)),
        articles=_articles(ranked.items[1 : 1 + MAX_LISTED], names) if is_wide else (),
        strip=coverage_strip(ranked.dots, ranked.coverage_count, names, discussions)
        if is_wide
        else "",
        topics=ranked.topics[:topics],
        why=ranked.why,
        other_sources=ranked.other_sources,
        coverage_count=ranked.coverage_count,
        is_unread=ranked.unread,
        is_saved=ranked.is_saved,
        is_followed=ranked.is_followed,
        is_lead=is_lead,
    )
    return _rendered("story_row", row, get_script_prefix())


def item_row(item: Item, density: str) -> SafeString:
    """The row of an item of the river."""
    row = ItemRow(
        pk=item.pk,
        story_id=item.story_id,
        title=item.title,
        source_id=item.source_id,
        source_title=item.source_title,  # type: ignore[attr-defined]
        summary=item.summary,
        excerpt=EXCERPTS[User.Density(density)],
        url=item.url,
        image_url=_image(item, density),
        age=ago(item.published_at),
        tellers=item.tellers,  # type: ignore[attr-defined]
        is_read=item.is_read,  # type: ignore[attr-defined]
        is_saved=item.is_saved,  # type: ignore[attr-defined]
        is_hidden=item.is_hidden,  # type: ignore[attr-defined]
    )
    return _rendered("item_row", row, get_script_prefix())


def _image(item: Item, density: str) -> str:
    return item.image_url if density == User.Density.ROOMY else ""


def _first_image(items: Sequence[Item]) -> str:
    return next((item.image_url for item in items if item.image_url), "")


def _articles(items: Sequence[Item], names: Mapping[int, str]) -> tuple[Article, ...]:
    return tuple(
        Article(
            item.pk,
            item.title,
            _name(item, names),
            ago(item.published_at, has_title=False),
            item.copy_of is not None,
        )
        for item in items
    )


def _name(item: Item, names: Mapping[int, str]) -> str:
    return names.get(item.source_id) or str(item.source)


@lru_cache(MAX_CACHED)
def _rendered(macro: str, row: StoryRow | ItemRow, prefix: str) -> SafeString:
    """Render a row by its macro. `prefix` begins all addresses."""
    return mark_safe(str(getattr(_macros(), macro)(row)))  # noqa: S308 - rendered by a template


def _macros() -> Any:
    return engines["jinja2"].env.get_template("feeds/rows.html").module  # type: ignore[attr-defined]


@resets_process_state
def clear_rows() -> None:
    _rendered.cache_clear()
