"""What stands beside the pages: the reader's newest edition."""

from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from django.template import engines
from django.urls import get_script_prefix
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from accounts.models import User
from ainews_site.infra.db_router import reading_connection
from ainews_site.infra.memo import cached
from ainews_site.infra.process_state import resets_process_state
from digests.editions.window import reader_today
from feeds.models.narrow import day, fetch, loaded

WEEK = timedelta(days=7)
HEADLINES = 5
_STORIES = {
    "postgresql": "content -> 'stories'",
    "sqlite": "json_extract(content, '$.stories')",
}
"""The stories of an edition as JSON. Django takes longer to compile a query than to read them."""
FRESH = 60
"""Lifetime of the cached edition in seconds. Until then, an edition that was deleted is shown."""
MAX_CACHED = 500
"""Rendered editions in the cache, about 1 MB."""


class RailEdition(NamedTuple):
    """An edition with the headlines of its first stories."""

    date: date
    is_today: bool
    headlines: tuple[str, ...]


def rail_edition(user: User) -> SafeString | str:
    """The block with the newest edition, "" without one."""
    edition = newest_edition(user)
    return _rendered(edition, get_script_prefix()) if edition else ""


def newest_edition(user: User) -> RailEdition | None:
    """The newest edition of the past week that has stories.

    A day without news shows the edition before it. It is cached until the reader's cache version
    changes, as it does with a new edition.
    """
    today = reader_today(user.time_zone, timezone.now())
    row = cached(
        f"rail-newest-{user.pk}",
        lambda: _read(user, today),
        fresh=FRESH,
        validator=(user.version, today),
        local_for=FRESH,
        shared=False,
    )
    return RailEdition(*row) if row else None


def _read(user: User, today: date) -> tuple[date, bool, tuple[str, ...]] | None:
    """Read the edition as a plain tuple, which the cache stores."""
    connection = reading_connection()
    stories, as_stored = _STORIES[connection.vendor], connection.ops.adapt_datefield_value
    query = (
        f"SELECT date, {stories} FROM digests_digest WHERE user_id = %s AND date > %s"  # noqa: S608 - no input
        f" AND date <= %s AND {stories} <> '[]' ORDER BY date DESC LIMIT 1"
    )
    for written, text in fetch(query, [user.pk, as_stored(today - WEEK), as_stored(today)]):
        headlines = tuple(story["headline"] for story in loaded(text)[:HEADLINES])
        return day(written), day(written) == today, headlines
    return None


@lru_cache(MAX_CACHED)
def _rendered(edition: RailEdition, prefix: str) -> SafeString:
    """Render the block. `prefix` begins all addresses."""
    template = engines["jinja2"].env.get_template("digests/rail.html")  # type: ignore[attr-defined]
    return mark_safe(str(template.render(edition=edition)))  # noqa: S308 - rendered by a template


resets_process_state(_rendered.cache_clear)
