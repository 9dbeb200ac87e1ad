"""Puts the scripts on the calendar: each telling gets its dates, relative to the start."""

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from feeds.demo.outlets import OUTLETS
from feeds.demo.script import Revision, Telling, read_script

DAYS = 30
LIVE_INTERVAL = timedelta(seconds=20)
LOOKING_BACK = "back-page"


@dataclass(frozen=True, slots=True)
class Version:
    """What an article says from `since` on."""

    since: datetime
    title: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Article:
    """One article of one outlet. `story` is the label: equal for tellings of one event."""

    outlet: str
    slug: str
    story: str
    versions: tuple[Version, ...]
    is_written: bool = True
    """False for the columns that look back, which are made from older headlines."""

    @property
    def path(self) -> str:
        return f"/{self.outlet}/{self.slug}"

    @property
    def published(self) -> datetime:
        return self.versions[0].since

    def seen_at(self, moment: datetime) -> Version | None:
        """The version that a visitor sees at `moment`; None before it is published."""
        seen = [version for version in self.versions if version.since <= moment]
        return seen[-1] if seen else None


def make_edition(
    start: datetime, seed: int = 1, interval: timedelta = LIVE_INTERVAL
) -> tuple[Article, ...]:
    """The newsroom's whole calendar: 30 days before `start`, and what appears after it.

    The same `start` and `seed` give the same articles. Once the held-back pieces are out,
    a column looks back at older stories, so that something new appears for hours.
    """
    rng = random.Random(seed)
    script = read_script()
    slots = _live_slots(script, start, interval, rng)
    written = [_article(telling, start, slots, rng) for telling in script]
    after = max([start, *slots.values()])
    return tuple(written) + tuple(_columns(written, start, after, interval, rng))


def _live_slots(
    script: Iterable[Telling], start: datetime, interval: timedelta, rng: random.Random
) -> dict[int, datetime]:
    """When each held-back revision appears, by its identity."""
    held = [id(rev) for telling in script for rev in telling.revisions if rev.when == "live"]
    rng.shuffle(held)
    return {revision: start + interval * n for n, revision in enumerate(held, 1)}


def _article(
    telling: Telling, start: datetime, slots: dict[int, datetime], rng: random.Random
) -> Article:
    slug = slugify(telling.revisions[0].title)
    base, versions = _broke(telling, start), []
    for revision in telling.revisions:
        since = slots.get(id(revision)) or _moment(revision.when, base, start, rng)
        versions.append(_version(revision, since))
        base = since
    story = telling.event or f"single:{telling.outlet}/{slug}"
    return Article(telling.outlet, slug, story, tuple(versions))


def _broke(telling: Telling, start: datetime) -> datetime | None:
    return None if telling.broke is None else start - timedelta(days=telling.broke)


def _moment(when: str, base: datetime | None, start: datetime, rng: random.Random) -> datetime:
    jitter = timedelta(seconds=rng.randrange(600))
    if when.startswith("+") and base is not None:
        return base + timedelta(hours=float(when)) + jitter
    days = float(when) if when else rng.uniform(0.1, DAYS - 0.1)
    return start - timedelta(days=days) + jitter


def _version(revision: Revision, since: datetime) -> Version:
    return Version(since.replace(microsecond=0), revision.title, tuple(revision.paragraphs))


def _columns(
    written: list[Article],
    start: datetime,
    after: datetime,
    interval: timedelta,
    rng: random.Random,
) -> Iterator[Article]:
    names = {outlet.slug: outlet.name for outlet in OUTLETS}
    old_ones = [article for article in written if article.published < start - timedelta(days=1)]
    for n, old in enumerate(rng.sample(old_ones, len(old_ones)), 1):
        title, days = old.versions[0].title, (start - old.published).days
        text = f"{names[old.outlet]} ran this headline {_days_ago(days)}: “{title}”."
        version = _version(Revision("", f"Looking back: {title}", [text]), after + interval * n)
        slug = f"looking-back-{slugify(title)}-{n}"
        yield Article(LOOKING_BACK, slug, old.story, (version,), is_written=False)


def _days_ago(days: int) -> str:
    return "yesterday" if days == 1 else f"{days} days ago"


def slugify(title: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", title.lower()))[:70].strip("-")
