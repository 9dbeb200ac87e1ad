"""News for simulated readers: a recording of real feeds, or the sample newsroom.

A recording is a folder, or a tar archive of one, with files FEED/YYYYMMDDTHHMMSSZ.xml: what a feed
served from that time (UTC) on. The product's code parses, cleans, dates and groups it.
"""

import re
import tarfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from feeds.core.errors import FeedError
from feeds.core.topics import match_topics
from feeds.demo.edition import make_edition
from feeds.evaluation.ranking.labels import label
from feeds.evaluation.stories import group_online
from feeds.ingest.clean.entries import clean_feed
from feeds.ingest.parse.feed import parse_feed
from feeds.ingest.parse.types import CleanEntry
from feeds.stories.grouping.tokenizer import make_document

_VERSION = re.compile(r"([^/]+)/(\d{8}T\d{6}Z)\.xml$")
_OPENING = datetime(2026, 1, 1, tzinfo=UTC)


class Article(NamedTuple):
    """An item. `time` is in seconds since 1970. The ranker must not use `labels`."""

    id: int
    time: float
    source: int
    story: int
    title: str
    summary: str
    topics: tuple[str, ...]
    labels: frozenset[str]


class Served(NamedTuple):
    """The document that a feed served from the time `at` on."""

    at: datetime
    feed: str
    body: bytes


class _Item(NamedTuple):
    time: float
    source: str
    title: str
    summary: str
    topics: tuple[str, ...]
    labels: frozenset[str]


def newsroom_world() -> list[Article]:
    """The 30 days of the sample newsroom: invented events that up to 15 outlets cover."""
    items = []
    for article in make_edition(_OPENING):
        if article.published <= _OPENING:
            version = article.versions[0]
            text = "\n".join(version.paragraphs)
            topics = match_topics(f"{version.title}\n{text[:600]}")
            about = label(version.title, text)
            when = article.published.timestamp()
            items.append(_Item(when, article.outlet, version.title, text[:600], topics, about))
    return _grouped(items)


def recorded_world(path: Path) -> list[Article]:
    """The articles of a recording. Raises ValueError with a message if there is none."""
    versions = sorted(_read(path))
    if not versions:
        raise ValueError(f"{path} contains no FEED/YYYYMMDDTHHMMSSZ.xml.")
    known: set[tuple[str, object]] = set()
    begun: set[str] = set()
    items: list[_Item] = []
    for served in versions:
        for entry, categories in _entries(served):
            keys = {(served.feed, entry.key_hash), (served.feed, entry.title)}
            # Undated entries of a feed's first version are skipped: their time is unknown.
            if not keys & known and (entry.published or served.feed in begun):
                items.append(_item(served, entry, categories))
            known |= keys
        begun.add(served.feed)
    began = versions[0].at.timestamp()
    return _grouped([item for item in items if item.time >= began])


def _read(path: Path) -> Iterator[Served]:
    if path.is_dir():
        for version in path.rglob("*.xml"):
            if match := _VERSION.search(version.as_posix()):
                yield _served(match, version.read_bytes())
        return
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if (match := _VERSION.search(member.name)) and (
                    file := archive.extractfile(member)
                ):
                    yield _served(match, file.read())
    except (OSError, tarfile.TarError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None


def _served(match: re.Match[str], body: bytes) -> Served:
    at = datetime.strptime(match[2], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return Served(at, match[1], body)


def _entries(served: Served) -> list[tuple[CleanEntry, tuple[str, ...]]]:
    address = f"https://{served.feed}.example/feed.xml"
    try:
        feed = parse_feed(served.body, url=address)
    except FeedError:
        return []
    categories = {entry.link: entry.categories for entry in feed.entries}
    clean = clean_feed(feed, address, trusts_guid=True, now=served.at)
    return [(entry, categories.get(entry.url, ())) for entry in clean.entries]


def _item(served: Served, entry: CleanEntry, categories: Iterable[str]) -> _Item:
    when = (entry.published or served.at).timestamp()
    about = label(entry.title, entry.text, categories)
    return _Item(when, served.feed, entry.title, entry.summary, entry.topics, about)


def _grouped(items: list[_Item]) -> list[Article]:
    """Sort items by time, number their sources and group them online."""
    items = sorted(items, key=lambda item: (item.time, item.source, item.title))
    names = sorted({item.source for item in items})
    sources = {name: number for number, name in enumerate(names, 1)}
    documents = [
        make_document(n, item.time, sources[item.source], item.title, item.summary)
        for n, item in enumerate(items, 1)
    ]
    stories = group_online(documents)
    return [
        Article(n, item.time, sources[item.source], story, *item[2:])
        for n, (item, story) in enumerate(zip(items, stories, strict=True), 1)
    ]
