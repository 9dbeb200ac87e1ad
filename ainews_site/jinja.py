"""The Jinja2 environment of our pages and mails: what templates can call beside their context.

The admin keeps Django's template language, in which its templates are written.
"""

from collections.abc import Iterable
from datetime import date as Date
from datetime import datetime
from functools import cache, lru_cache
from itertools import groupby
from typing import Any, NamedTuple

from django.template import defaultfilters
from django.templatetags.static import static
from django.urls import reverse
from django.urls.base import get_script_prefix
from django.utils.html import conditional_escape
from django.utils.timezone import localtime
from jinja2 import Environment

from ainews_site.infra.invocation import PROGRAM
from ainews_site.infra.places import IS_INSTALLED
from digests.channels.strip import edition_strip
from digests.channels.titles import quiet_day_message, title_of
from digests.editions.story_summary import story_summary
from digests.web.formats import (
    as_day,
    channel_problems,
    other_reasons,
    updates,
    web,
    writer,
)
from digests.web.rail import rail_edition
from feeds.web.article_rows import article_rows, life_strip
from feeds.web.coverage_strip import coverage_strip
from feeds.web.formats import (
    ago,
    by_source,
    byline,
    cut,
    delay,
    excerpt,
    factor,
    host,
    topic_label,
    until,
)
from feeds.web.rail import rail_trends, river_unread
from feeds.web.sparkline import sparkline, trend_line

SENTINEL = 1_000_000_007
"""A number that stands for an id when the pattern of an address is made."""


def environment(**options: Any) -> Environment:
    """Return the environment. `options` are those of TEMPLATES."""
    env = Environment(**options)  # noqa: S701 - Django's backend sets autoescape
    env.globals |= {
        "article_rows": article_rows,
        "channel_problems": channel_problems,
        "coverage_strip": coverage_strip,
        "edition_strip": edition_strip,
        "life_strip": life_strip,
        "program": PROGRAM if IS_INSTALLED else f"python {PROGRAM}",
        "rail_trends": rail_trends,
        "sparkline": sparkline,
        "static": static,
        "story_summary": story_summary,
        "rail_edition": rail_edition,
        "river_unread": river_unread,
        "trend_line": trend_line,
        "url_for": url_for,
    }
    env.filters |= {
        "ago": ago,
        "as_day": as_day,
        "by_source": by_source,
        "byline": byline,
        "capfirst": defaultfilters.capfirst,
        "date": date,
        "delay": delay,
        "cut": cut,
        "excerpt": excerpt,
        "factor": factor,
        "filesizeformat": defaultfilters.filesizeformat,
        "floatformat": defaultfilters.floatformat,
        "host": host,
        "other_reasons": other_reasons,
        "pluralize": defaultfilters.pluralize,
        "quiet_day_message": quiet_day_message,
        "regroup": regroup,
        "timesince": defaultfilters.timesince_filter,
        "timeuntil": defaultfilters.timeuntil_filter,
        "title_of": title_of,
        "topic_label": topic_label,
        "truncatechars": defaultfilters.truncatechars,
        "truncatewords": defaultfilters.truncatewords,
        "until": until,
        "updates": updates,
        "web": web,
        "writer": writer,
        "yesno": defaultfilters.yesno,
    }
    return env


def url_for(name: str, *args: object) -> str:
    """Return the address of a view, escaped for HTML."""
    if len(args) == 1 and type(args[0]) is int:
        before, after = _around_id(name, get_script_prefix())
        return f"{before}{args[0]}{after}"
    return _address(name, get_script_prefix(), args)


@cache
def _around_id(name: str, prefix: str) -> tuple[str, str]:
    """Return what stands before and after the id in the addresses of a view.

    Resolving a name costs as much as the rest of a row.
    """
    before, _, after = reverse(name, args=(SENTINEL,)).partition(str(SENTINEL))
    return before, after


@lru_cache(maxsize=2000)
def _address(name: str, prefix: str, args: tuple[object, ...]) -> str:
    return conditional_escape(reverse(name, args=args))


def date(value: Date | datetime | None, pattern: str) -> str:
    """Format a date in Django's notation, in the reader's time zone."""
    if isinstance(value, datetime):
        value = localtime(value)
    return defaultfilters.date(value, pattern)


class Group(NamedTuple):
    grouper: Any
    members: list[Any]


def regroup(rows: Iterable[Any], attribute: str) -> list[Group]:
    """Group neighbouring rows with the same attribute or key, in their order.

    Jinja2's own `groupby` sorts the groups.
    """

    def value(row: Any) -> Any:
        return row[attribute] if isinstance(row, dict) else getattr(row, attribute)

    return [Group(grouper, list(members)) for grouper, members in groupby(rows, value)]
