"""Reports of readers: recorded, limited and withdrawn. Administrators judge them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b
from typing import TypedDict

from django.db import transaction

from accounts.models import User
from accounts.quotas import lock_user
from ainews_site.infra import db_clock
from feeds.models import Report

MAX_A_DAY = 20
"""Reports of one reader within a day."""
MAX_NOTE = 500
"""Characters of the reader's own words."""
DAY = timedelta(days=1)
LIMIT_REACHED = f"You have sent {MAX_A_DAY} reports within a day. Send this one tomorrow."


class LimitReached(Exception):
    """The reader has sent as many reports as one may."""


class ReportedArticle(TypedDict):
    item: int
    title: str
    url: str
    source: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What is reported: a sentence with the articles that it cites, or without a sentence one
    article that is in the wrong story. `place` names the page that was read."""

    story: int
    story_title: str
    place: str
    articles: Sequence[ReportedArticle]
    sentence: str = ""
    written_by: str = ""

    @property
    def kind(self) -> Report.Kind:
        return Report.Kind.MISTAKE if self.sentence else Report.Kind.MISPLACED

    @property
    def key(self) -> str:
        """A hash, by which a report that is sent twice is recognised."""
        items = [article["item"] for article in self.articles]
        values = json.dumps([self.kind, self.story, items, self.sentence])
        return blake2b(values.encode(), digest_size=32).hexdigest()


@transaction.atomic
def report(user: User, subject: Subject, note: str = "") -> Report:
    """Record a report. The same report again changes the note of the open one.

    Raises LimitReached.
    """
    lock_user(user)
    own = Report.objects.filter(user=user)
    note = note.strip()[:MAX_NOTE]
    if same := own.open().filter(key=subject.key).first():
        same.note = note or same.note
        same.save(update_fields=["note"])
        return same
    if own.filter(created_at__gt=db_clock.now() - DAY).count() >= MAX_A_DAY:
        raise LimitReached
    return Report.objects.create(
        user=user,
        kind=subject.kind,
        story=subject.story,
        story_title=subject.story_title,
        place=subject.place,
        articles=list(subject.articles),
        sentence=subject.sentence,
        written_by=subject.written_by,
        note=note,
        key=subject.key,
    )


def withdraw(user: User, pk: int) -> bool:
    """Delete an open report of the reader. Return False if there is none."""
    return bool(Report.objects.filter(user=user, pk=pk).open().delete()[0])


def reports_on(user: User, story: int) -> list[Report]:
    """The reader's reports on a story, the newest first."""
    return list(Report.objects.filter(user=user, story=story)[:MAX_A_DAY])
