"""What stands beside the pages: the reader's newest edition."""

from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from django.template import engines
from django.urls import get_script_prefix
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from accounts.models import User
from ainews_site.infra.memo import cached
from ainews_site.infra.process_state import resets_process_state
from digests.editions.window import reader_today
from digests.models import Digest

WEEK = timedelta(days=7)
HEADLINES = 5
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
    day = reader_today(user.time_zone, timezone.now())
    state = (user.version, day)
    known, edition = cached(
        f"rail-newest-{user.pk}",
        lambda: (state, _read(user, day)),
        fresh=FRESH,
        validator=state,
        local_for=FRESH,
    )
    # Another request may be reading the new one.
    row = edition if known == state else _read(user, day)
    return RailEdition(*row) if row else None


def _read(user: User, day: date) -> tuple[date, bool, tuple[str, ...]] | None:
    """Read the edition as a plain tuple, which the cache stores."""
    recent = Digest.objects.filter(user=user, date__gt=day - WEEK, date__lte=day)
    digest = recent.exclude(content__stories=[]).first()
    if digest is None:
        return None
    headlines = tuple(story["headline"] for story in digest.content["stories"][:HEADLINES])
    return digest.date, digest.date == day, headlines


@lru_cache(MAX_CACHED)
def _rendered(edition: RailEdition, prefix: str) -> SafeString:
    """Render the block. `prefix` begins all addresses."""
    template = engines["jinja2"].env.get_template("digests/rail.html")  # type: ignore[attr-defined]
    return mark_safe(str(template.render(edition=edition)))  # noqa: S308 - rendered by a template


resets_process_state(_rendered.cache_clear)
