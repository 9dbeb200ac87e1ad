"""Turns the scripted articles into articles with dates, which are relative to the start."""

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from feeds.demo.script import Revision, ScriptedArticle, read_script

DAYS = 30
LIVE_INTERVAL = timedelta(seconds=40)


@dataclass(frozen=True, slots=True)
class Version:
    """The title and text of an article from the moment `since` on."""

    since: datetime
    title: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Article:
    """An article of an outlet. `story` is its label, which all articles about an event share.

    `versions` are in the order of time.
    """

    outlet: str
    slug: str
    story: str
    versions: tuple[Version, ...]

    @property
    def path(self) -> str:
        """The path on the outlet's site."""
        return f"/{self.slug}"

    @property
    def published(self) -> datetime:
        return self.versions[0].since

    def seen_at(self, moment: datetime) -> Version | None:
        """Return the version that a visitor sees at `moment`, or None before the publication."""
        published = [version for version in self.versions if version.since <= moment]
        return published[-1] if published else None


def make_edition(
    start: datetime, seed: int = 1, interval: timedelta = LIVE_INTERVAL
) -> tuple[Article, ...]:
    """Return the hand-written articles: those of the 30 days before `start`, and the live ones.

    After `start`, an `interval` passes before each live article or correction. The same arguments
    give the same articles.
    """
    rng = random.Random(seed)
    script = read_script()
    slots = _live_slots(script, start, interval, rng)
    return tuple(_article(scripted, start, slots, rng) for scripted in script)


def _live_slots(
    script: Iterable[ScriptedArticle], start: datetime, interval: timedelta, rng: random.Random
) -> dict[int, datetime]:
    """Return {id() of a live revision: when it appears}."""
    live = [id(rev) for scripted in script for rev in scripted.revisions if rev.when == "live"]
    rng.shuffle(live)
    return {revision: start + interval * n for n, revision in enumerate(live, 1)}


def _article(
    scripted: ScriptedArticle, start: datetime, slots: dict[int, datetime], rng: random.Random
) -> Article:
    slug = slugify(scripted.revisions[0].title)
    base, versions = _broke(scripted, start), []
    for revision in scripted.revisions:
        since = slots.get(id(revision)) or _moment(revision.when, base, start, rng)
        versions.append(_version(revision, since))
        base = since
    story = scripted.event or f"single:{scripted.outlet}/{slug}"
    return Article(scripted.outlet, slug, story, tuple(versions))


def _broke(scripted: ScriptedArticle, start: datetime) -> datetime | None:
    return None if scripted.broke is None else start - timedelta(days=scripted.broke)


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
