"""Finds the articles that an outlet has published by a moment: of the edition and the stream."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from feeds.demo.edition import Article, make_edition
from feeds.demo.outlets import Outlet
from feeds.demo.render import Shown
from feeds.demo.stream import stream_of

DAYS_IN_FEED = 14
"""Days of the stream that a feed has, so that trends have a past to compare with."""


class Published:
    """The articles of a newsroom that was opened at `start`."""

    def __init__(self, start: datetime, seed: int, interval: timedelta) -> None:
        self.edition = make_edition(start, seed, interval)
        self._stream = stream_of(seed)
        self._by_outlet: dict[str, list[Article]] = {}
        for article in self.edition:
            self._by_outlet.setdefault(article.outlet, []).append(article)

    def prepare(self, now: datetime) -> None:
        """Compute the days of the stream that feeds show, which takes some seconds."""
        for day in _days(now):
            self._stream.of_day(day)

    def shown(self, outlet: Outlet, now: datetime) -> list[Shown]:
        """Return the articles in the outlet's feed at `now`, newest first."""
        articles = (
            Shown(article, version)
            for article in self._articles(outlet, now)
            if (version := article.seen_at(now))
        )
        return sorted(articles, key=lambda shown: shown.article.published, reverse=True)

    def _articles(self, outlet: Outlet, now: datetime) -> Iterator[Article]:
        yield from self._by_outlet.get(outlet.slug, ())
        for day in _days(now):
            yield from self._stream.of_day(day).get(outlet.slug, ())

    def at(self, outlet: Outlet, path: str, now: datetime) -> Shown | None:
        """Return the article at a path, of any age, or None if there is none or it is not published
        yet."""
        number, _, rest = path.removeprefix("/").partition("/")
        if rest:
            articles = self._stream.of_slot(int(number)) if _is_slot(number) else []
        else:
            articles = self._by_outlet.get(outlet.slug, [])
        for article in articles:
            if article.outlet == outlet.slug and article.path == path:
                version = article.seen_at(now)
                return Shown(article, version) if version else None
        return None


def _days(now: datetime) -> range:
    """The days of the stream that feeds show, counted from 1970."""
    today = (now - datetime(1970, 1, 1, tzinfo=UTC)).days
    return range(today - DAYS_IN_FEED + 1, today + 1)


def _is_slot(number: str) -> bool:
    """Return True for the number of a slot that is within the range of datetime."""
    return number.isascii() and number.isdigit() and len(number) < 9
