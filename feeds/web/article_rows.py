"""The articles on the page of a story, rendered once for all readers to whom they look the same.

Like the rows of `feeds.web.rows`, they are made of plain values alone. The ages on the coverage
strip are up to a minute old.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from django.template import engines
from django.urls import get_script_prefix
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from ainews_site.infra.process_state import resets_process_state
from feeds.models import Item
from feeds.stories.story_page import StoryPage
from feeds.web.formats import ago, delay
from feeds.web.story_strip import StripArticle, strip_dots

MAX_CACHED = 4_000
"""Articles in the cache, about 6 MB."""
MAX_STRIPS = 300
"""Coverage strips in the cache, about 3 MB."""
SUMMARY = 300
"""Characters of an article's summary."""
_FIRST = mark_safe("<b>First</b>")


class ArticleRow(NamedTuple):
    """All that the row of an article shows.

    `number` is that of its citation, 0 for none, and `quoted` the first sentence that cites it.
    """

    pk: int
    title: str
    source_id: int
    source: str
    summary: str
    when: SafeString | str
    age: SafeString | str
    updated: SafeString | str
    number: int
    quoted: str
    is_read: bool


def article_rows(
    items: Iterable[Item],
    page: StoryPage,
    numbers: Mapping[int, int],
    quoted: Mapping[int, str],
    *,
    are_new: bool = False,
) -> SafeString:
    """The rows of these articles of a story. `numbers` are those of their citations and `quoted`
    the first sentences that cite them. Rows that are new to the reader look unread."""
    prefix = get_script_prefix()
    rows = [_row(item, page, numbers, quoted, are_new=are_new) for item in items]
    return mark_safe("".join(_rendered(row, prefix) for row in rows))  # noqa: S308 - by a template


def _row(
    item: Item,
    page: StoryPage,
    numbers: Mapping[int, int],
    quoted: Mapping[int, str],
    *,
    are_new: bool,
) -> ArticleRow:
    age = ago(item.published_at)
    is_first = item.pk == page.first.pk and page.original_count > 1
    when: SafeString | str = age
    if is_first and not are_new:
        when = _FIRST
    elif item.pk != page.first.pk and not are_new:
        when = delay(item.published_at, page.first.published_at)
    return ArticleRow(
        pk=item.pk,
        title=item.title,
        source_id=item.source_id,
        source=page.names.get(item.source_id) or str(item.source),
        summary=item.summary[:SUMMARY],
        when=when,
        age=age if is_first else "",
        updated=ago(item.updated_at),
        number=numbers.get(item.pk, 0),
        quoted=quoted.get(item.pk, ""),
        is_read=item.is_read and not are_new,  # type: ignore[attr-defined]
    )


@lru_cache(MAX_CACHED)
def _rendered(row: ArticleRow, prefix: str) -> SafeString:
    """Render a row. `prefix` begins all addresses."""
    return mark_safe(str(_macros().article_row(row)))  # noqa: S308 - rendered by a template


def life_strip(items: Sequence[Item], names: Mapping[int, str]) -> SafeString:
    """The coverage strip of a story's page: these articles, which are in order of publication.
    `names` are the reader's own names of sources."""
    articles = tuple(
        StripArticle(
            item.pk,
            item.title,
            names.get(item.source_id) or str(item.source),
            item.published_at,
            item.copy_of is not None,
            item.source.is_discussion,
        )
        for item in items
    )
    zone = timezone.get_current_timezone_name()
    return _rendered_strip(articles, zone, int(time.time() / 60), get_script_prefix())


@lru_cache(MAX_STRIPS)
def _rendered_strip(
    articles: Sequence[StripArticle], zone: str, minute: int, prefix: str
) -> SafeString:
    """Render the strip in the current time zone, which is `zone`, and minute."""
    text = str(_macros().life_strip(strip_dots(articles)))
    return mark_safe(text)  # noqa: S308 - rendered by a template


def _macros() -> Any:
    return engines["jinja2"].env.get_template("feeds/article_rows.html").module  # type: ignore[attr-defined]


@resets_process_state
def clear_articles() -> None:
    _rendered.cache_clear()
    _rendered_strip.cache_clear()
