"""Caches what a page shows one reader, until anything changes that it may depend on.

Most requests of a page come when nothing has changed: a reload, a way back, another tab. The
reader sees each change at once, because the cached text belongs to the reader's cache version,
their newest item and the revisions. Ages such as "3 min" are up to a minute old.
"""

import json
import zlib
from collections.abc import Callable, Sequence

from django.utils.safestring import SafeString, mark_safe

from accounts.models import User
from ainews_site.infra.db_router import reading_connection
from ainews_site.infra.memo import cached
from feeds.coordination.revisions import News, news_columns, news_for
from feeds.web.live.news import own_seq

FRESH = 60
"""Lifetime of a cached text in seconds, because it has ages."""


def page_state(user: User) -> tuple[int, News]:
    """Return the newest seq that the reader may know, and the current state, by one query."""
    seq, its = own_seq(user.pk)
    columns, parameters = news_columns(user.pk)
    with reading_connection().cursor() as cursor:
        cursor.execute(f"SELECT {seq}, {columns}", [*its, *parameters])
        newest, *news = cursor.fetchone()
        return max(0, int(newest)), News(*news)


def cached_page(
    user: User,
    name: str,
    seq: int,
    render: Callable[[], Sequence[str]],
    news: News | None = None,
) -> list[SafeString]:
    """Return the parts of a page that `render` returns for this reader, or returned for the same
    state.

    `name` identifies the page with its filters, `seq` is the newest item that the reader may know.
    `render` must not depend on the request, its CSRF token above all. `news` is the current state,
    if it was read before.
    """
    news = news or news_for(user)
    state = (seq, news.content, news.grouping, news.cache_version)

    def compute() -> bytes:
        return zlib.compress(json.dumps(list(render())).encode(), 1)

    packed = cached(
        f"page-{user.pk}-{name}",
        compute,
        fresh=FRESH,
        stale_for=FRESH,
        validator=state,
        claim=False,
    )
    parts: list[str] = json.loads(zlib.decompress(packed))
    return [mark_safe(part) for part in parts]  # noqa: S308 - rendered by templates
