"""Puts the scripts on the calendar: each telling gets its dates, relative to the start."""

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from feeds.demo.script import Revision, Telling, read_script

DAYS = 30
LIVE_INTERVAL = timedelta(seconds=40)


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

    @property
    def path(self) -> str:
        """Where it is on the outlet's own site."""
        return f"/{self.slug}"

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
    """What is written by hand: the 30 days before `start`, and what was held back to appear
    after it, a piece each `interval`. The same `start` and `seed` give the same articles.
    """
    rng = random.Random(seed)
    script = read_script()
    slots = _live_slots(script, start, interval, rng)
    return tuple(_article(telling, start, slots, rng) for telling in script)


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


def slugify(title: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", title.lower()))[:70].strip("-")
