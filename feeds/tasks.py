"""What the queue runs for feeds. The source rows hold the schedule; a message is a hint."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from logging import getLogger
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django_q.brokers import get_broker
from django_q.models import Schedule
from django_q.tasks import async_task

from accounts.attempts import forget_old_attempts
from ainews_site.infra import db_clock
from ainews_site.infra.enqueue import SLOW
from feeds.ai.embed.store import drop_old_vectors
from feeds.ai.language.complete import forget_old_replies
from feeds.archive.store import archive_months
from feeds.coordination.announce import announce_news
from feeds.core.partitions import ensure_months_ahead
from feeds.ingest.pipeline import ingest_sources
from feeds.models import FetchLog, Item, MarkUndo, Source
from feeds.search.postgres.index import complete
from feeds.stories.grouping.group import group_new_items
from feeds.stories.grouping.repair import repair_stories
from feeds.stories.ranking.taste import drop_old_views
from feeds.trends.follow import delete_old_alerts
from feeds.trends.update import update_trends

__all__ = [
    "archive_old_months",
    "drop_old_rows",
    "ensure_schedules",
    "make_partitions",
    "poll_batch",
    "poll_due",
    "repair_stories",
    "update_trends",
]

logger = getLogger(__name__)

KEEP_FETCH_LOGS = timedelta(days=30)
KEEP_UNDO = timedelta(days=1)
LONGEST_POLL = 240.0
"""Seconds of one batch, well within the queue's time-out; what is left stays due."""
LONGEST_PAUSE = timedelta(days=9)
"""No schedule puts a source off for longer: a day, and the week that it may ask to skip."""


def ensure_schedules() -> None:
    """Make the schedules of this app, once; what an admin changed stays."""
    wanted: dict[str, dict[str, Any]] = {
        "poll_due": {"schedule_type": Schedule.MINUTES, "minutes": 1},
        "repair_stories": {"schedule_type": Schedule.HOURLY, "kwargs": repr(SLOW)},
        "update_trends": {"schedule_type": Schedule.HOURLY, "kwargs": repr(SLOW)},
        "drop_old_rows": {"schedule_type": Schedule.DAILY, "kwargs": repr(SLOW)},
        "make_partitions": {"schedule_type": Schedule.DAILY, "kwargs": repr(SLOW)},
        "archive_old_months": {"schedule_type": Schedule.DAILY, "kwargs": repr(SLOW)},
    }
    for name, when in wanted.items():
        ensure_schedule(name, {"func": f"feeds.tasks.{name}"} | when)


def ensure_schedule(name: str, wanted: dict[str, Any]) -> None:
    """Make it once; one from before there were two queues learns which is its own."""
    schedule, _ = Schedule.objects.get_or_create(name=name, defaults=wanted)
    if not schedule.kwargs and wanted.get("kwargs"):
        Schedule.objects.filter(pk=schedule.pk).update(kwargs=wanted["kwargs"])


def poll_due() -> int:
    """Queue all sources that are due, in batches; how many sources were queued.

    Items that were stored while another process ended its grouping are grouped here.
    """
    if Item.objects.filter(story=None).exists():
        group_new_items()
        announce_news()
    _mend_times()
    room = settings.POLL_WAITING - _waiting()
    due = Source.objects.due().order_by("next_poll_at").values_list("pk", "url")
    batches = make_batches(due[: max(room, 0) * settings.POLL_BATCH], settings.POLL_BATCH)
    fast = settings.Q_CLUSTER["name"]
    for batch in batches[: max(room, 0)]:
        async_task("feeds.tasks.poll_batch", batch, q_options={"group": "poll", "cluster": fast})
    return sum(map(len, batches[: max(room, 0)]))


def _mend_times() -> None:
    """A clock that was years ahead, as one is without its battery, must not silence a source
    for years."""
    now = db_clock.now()
    Source.objects.filter(next_poll_at__gt=now + LONGEST_PAUSE).change(next_poll_at=now)


def _waiting() -> int:
    """Messages that a worker may still take. One that a killed worker held stays locked for
    an hour and is none: its sources are due again when their lease runs out."""
    return int(get_broker(settings.Q_CLUSTER["name"]).queue_size())


def make_batches(sources: Iterable[tuple[int, str]], size: int) -> list[list[int]]:
    """Ids of (id, url) in lists of at most `size`. One host's sources stay together, as
    their fetches must follow one another; more than `size` of them wait for the next time."""
    hosts: defaultdict[str, list[int]] = defaultdict(list)
    for pk, url in sources:
        hosts[urlsplit(url).netloc.lower()].append(pk)
    batches: list[list[int]] = []
    for ids in sorted((ids[:size] for ids in hosts.values()), key=len, reverse=True):
        if batches and len(batches[-1]) + len(ids) <= size:
            batches[-1].extend(ids)
        else:
            batches.append(ids)
    return batches


def poll_batch(source_ids: list[int]) -> dict[str, int]:
    """Poll these sources as far as they are still due."""
    due = Source.objects.due().filter(pk__in=source_ids).values_list("pk", flat=True)
    report = ingest_sources(list(due), seconds=LONGEST_POLL)
    return {"polled": len(report.outcomes), "new": report.new, "failed": len(report.failed)}


def drop_old_rows() -> None:
    """What nobody needs any more: fetch logs of a month ago, marks that could be taken back, old
    vectors, alerts, counts of attempts, what a model said, and what was shown too long ago to
    tell of a taste."""
    now = db_clock.now()
    forget_old_replies()
    FetchLog.objects.filter(at__lt=now - KEEP_FETCH_LOGS).delete()
    MarkUndo.objects.filter(created_at__lt=now - KEEP_UNDO).delete()
    drop_old_vectors()
    drop_old_views(now)
    delete_old_alerts(now)
    forget_old_attempts()


def make_partitions() -> int:
    """The partitions of the months to come, where there are partitions; how many were made."""
    last_updates = ensure_months_ahead()
    complete(last_updates)
    return len(last_updates)


def archive_old_months() -> int:
    """The months before ARCHIVE_AFTER_DAYS, where it is set; how many went."""
    if not settings.ARCHIVE_AFTER_DAYS:
        return 0
    moment = db_clock.now() - timedelta(days=settings.ARCHIVE_AFTER_DAYS)
    return len(archive_months(settings.ARCHIVE_DIR, moment, logger.info))
