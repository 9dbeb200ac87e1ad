"""Formats values for the templates of the reading pages."""

import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from urllib.parse import urlsplit

from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from feeds.core.datelines import without_dateline
from feeds.core.topics import LABELS
from feeds.models import Item


def ago(moment: datetime | None, *, has_title: bool = True) -> SafeString | str:
    """A `<time>` element with the age in short, and with `has_title` the date on hover."""
    if moment is None:
        return ""
    local = timezone.localtime(moment)
    return _time_element(local, short_age(local), has_title)


def _time_element(local: datetime, text: str, has_title: bool = True) -> SafeString:
    return _cached_time_element(local, text, has_title, str(local.tzinfo))


@lru_cache(4_000)
def _cached_time_element(local: datetime, text: str, has_title: bool, zone: str) -> SafeString:
    """`zone` distinguishes moments of different time zones, which are equal to Python."""
    title = f' title="{local.day} {local:%B %Y, %H:%M}"' if has_title else ""
    return mark_safe(  # noqa: S308 - numbers and names of months alone
        f'<time datetime="{local.isoformat(timespec="minutes")}"{title}>{text}</time>'
    )


def short_age(moment: datetime) -> str:
    """The age in short: "now", "5 min", "3 h" or "2 d", and from 7 days on the date."""
    seconds = int((timezone.now() - moment).total_seconds())
    if seconds < 60:
        return "now"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 86_400:
        return f"{seconds // 3600} h"
    if seconds < 7 * 86_400:
        return f"{seconds // 86_400} d"
    year = "" if moment.year == timezone.now().year else " %Y"
    return moment.strftime(f"%-d %b{year}")


def until(moment: datetime) -> SafeString:
    """A `<time>` element with the time left in short, such as "in 5 min", and the date on hover."""
    return _time_element(timezone.localtime(moment), short_wait(moment))


def short_wait(moment: datetime) -> str:
    """The time left in short: "now", "in 5 min", "in 3 h" or "in 2 d"."""
    seconds = int((moment - timezone.now()).total_seconds())
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"in {seconds // size} {unit}"
    return "now"


def delay(moment: datetime, since: datetime) -> SafeString:
    """A `<time>` element with the time after `since` in short ("+3 h"), and the date on hover."""
    seconds = max(int((moment - since).total_seconds()), 0)
    length = f"{max(seconds // 60, 1)} min" if seconds < 3600 else f"{seconds // 3600} h"
    if seconds >= 2 * 86_400:
        length = f"{seconds // 86_400} d"
    return _time_element(timezone.localtime(moment), f"+{length}")


def host(url: str) -> str:
    """The host of a URL without "www."; "" if the URL is not valid."""
    try:
        name = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    return name.removeprefix("www.")


def by_source(items: Sequence[Item]) -> list[Item]:
    """The first items of up to four different sources."""
    firsts: dict[int, Item] = {}
    for item in items:
        firsts.setdefault(item.source_id, item)
        if len(firsts) == 4:
            break
    return list(firsts.values())


_END_OF_TITLE = re.compile(r"""^[.!?…,]?["'”’»)\]]*[\s.:;,!?–—\-|·…]*""")
"""What may end a title: punctuation and closing quotation marks, but no opening ones."""


def excerpt(summary: str, title: str) -> str:
    """The summary without a dateline and without the title at its beginning; "" if nothing else is
    in it. A dateline may follow the title."""
    rest = _without_title(without_dateline(summary, title), title)
    return without_dateline(rest, title)


def _without_title(summary: str, title: str) -> str:
    """The summary without the title at its beginning; "" if nothing else is in it.

    Only letters and digits are compared. Most summaries begin with the very title or differ from
    it soon, so that few of their characters are compared one by one.
    """
    if title and summary[: len(title)].casefold() == title.casefold():
        return _END_OF_TITLE.sub("", summary[len(title) :])
    start = _letters(title)
    if not start:
        return summary
    matched = 0
    for place, character in enumerate(summary):
        if matched == len(start):
            return _END_OF_TITLE.sub("", summary[place:])
        if character.isalnum():
            letters = _letters(character)
            if not start.startswith(letters, matched):
                return summary
            matched += len(letters)
    return "" if matched == len(start) else summary


def cut(text: str, length: int) -> str:
    """The text cut at a word, with an ellipsis in place of the punctuation there."""
    if len(text) <= length + 5:
        return text
    return text[:length].rsplit(" ", 1)[0].rstrip(" .,;:!?…–—-") + "…"


def byline(author: str, source: str) -> str:
    """The author without the name of the source at its beginning or end; "" if that is all."""
    name, author = source.strip().casefold(), author.strip()
    while name and author.casefold().startswith(name):
        author = author[len(name) :].strip(" ,|/·–—-")
    while name and author.casefold().endswith(name):
        author = author[: -len(name)].strip(" ,|/·–—-")
    return "" if _letters(author) in ("", "by", "at", "in") else author


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def factor(now: int, before: int) -> str:
    """How many times as many there are as before, such as "×2.5"; "" if there were none."""
    return f"×{now / before:.1f}".removesuffix(".0") if before else ""


def topic_label(slug: str) -> str:
    return LABELS.get(slug, slug)
