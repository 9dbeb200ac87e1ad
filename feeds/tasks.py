"""The tasks that the queue runs for feeds.

The rows of sources have the schedule of polls. A message in the queue is only a hint, which may be
lost or repeated.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from logging import getLogger
from urllib.parse import urlsplit

from django.conf import settings
from django_q.brokers import get_broker
from django_q.tasks import async_task

from accounts.attempts import forget_old_attempts
from ainews_site.infra import db_clock
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
    "make_partitions",
    "poll_batch",
    "poll_due",
    "repair_stories",
    "update_trends",
]

logger = getLogger(__name__)

KEEP_FETCH_LOGS = timedelta(days=30)
KEEP_UNDO = timedelta(days=1)
POLL_SECONDS = 240.0
"""Time limit of one batch, well below the time-out of the queue. Sources not reached stay due."""
MAX_WAIT = timedelta(days=9)
"""No source is scheduled later than this: after a day, and a week of days that it asks to skip."""


def poll_due() -> int:
    """Queue all due sources in batches. Returns the number of sources.

    Also groups items that were stored while another process was just finishing its grouping.
    """
    if Item.objects.filter(story=None).exists():
        group_new_items()
        announce_news()
    _repair_times()
    batches_left = settings.POLL_WAITING - _queued_batches()
    due = Source.objects.due().order_by("next_poll_at").values_list("pk", "url")
    batches = make_batches(due[: max(batches_left, 0) * settings.POLL_BATCH], settings.POLL_BATCH)
    fast = settings.Q_CLUSTER["name"]
    for batch in batches[: max(batches_left, 0)]:
        async_task("feeds.tasks.poll_batch", batch, q_options={"group": "poll", "cluster": fast})
    return sum(map(len, batches[: max(batches_left, 0)]))


def _repair_times() -> None:
    """Make sources due that are scheduled too far ahead.

    A machine whose clock was years ahead, for lack of a battery, may have scheduled them.
    """
    now = db_clock.now()
    Source.objects.filter(next_poll_at__gt=now + MAX_WAIT).change(next_poll_at=now)


def _queued_batches() -> int:
    """Return the number of messages that a worker can take.

    A message of a killed worker stays locked for an hour and does not count. Its sources are due
    again when their leases expire.
    """
    return int(get_broker(settings.Q_CLUSTER["name"]).queue_size())


def make_batches(sources: Iterable[tuple[int, str]], size: int) -> list[list[int]]:
    """Return the ids of `sources`, which are (id, url), in batches of at most `size`.

    Sources of one host are in one batch, because they are fetched one after the other. If there are
    more than `size` of them, the rest is left out, and stays due.
    """
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
    """Poll those of these sources that are still due. Returns counts for the record of the task."""
    due = Source.objects.due().filter(pk__in=source_ids).values_list("pk", flat=True)
    report = ingest_sources(list(due), seconds=POLL_SECONDS)
    return {"polled": len(report.outcomes), "new": report.new, "failed": len(report.failed)}


def drop_old_rows() -> None:
    """Delete rows that are no longer needed.

    These are old fetch logs, undo records, vectors, impressions, alerts, attempt counts, and cached
    replies of language models.
    """
    now = db_clock.now()
    forget_old_replies()
    FetchLog.objects.filter(at__lt=now - KEEP_FETCH_LOGS).delete()
    MarkUndo.objects.filter(created_at__lt=now - KEEP_UNDO).delete()
    drop_old_vectors()
    drop_old_views(now)
    delete_old_alerts(now)
    forget_old_attempts()


def make_partitions() -> int:
    """Create the partitions of the next months on PostgreSQL. Returns their number."""
    created = ensure_months_ahead()
    complete(created)
    return len(created)


def archive_old_months() -> int:
    """Archive the months before ARCHIVE_AFTER_DAYS, if that is set. Returns their number."""
    if not settings.ARCHIVE_AFTER_DAYS:
        return 0
    moment = db_clock.now() - timedelta(days=settings.ARCHIVE_AFTER_DAYS)
    return len(archive_months(settings.ARCHIVE_DIR, moment, logger.info))
