"""What the queue runs for digests."""

from django_q.models import Schedule

from accounts.models import User
from accounts.zones import zone_named
from digests.models import Digest
from digests.window import reader_today
from digests.write import write_digest
from feeds import clock
from feeds.tasks import SLOW, ensure_schedule


def ensure_schedules() -> None:
    """Make the schedule that writes digests, once."""
    ensure_schedule(
        "write_due_digests",
        {
            "func": "digests.tasks.write_due_digests",
            "schedule_type": Schedule.MINUTES,
            "minutes": 10,
            "kwargs": repr(SLOW),
        },
    )


def write_due_digests() -> int:
    """Write today's edition of every reader whose hour has come and who has none yet, or
    had one before there was any news."""
    now = clock.now()
    written = 0
    for reader in User.objects.filter(is_active=True, subscriptions__isnull=False).distinct():
        day = reader_today(reader.time_zone, now)
        if now.astimezone(zone_named(reader.time_zone)).hour < reader.digest_hour:
            continue
        written_today = Digest.objects.filter(user=reader, date=day).first()
        if written_today is None or not written_today.content["stories"]:
            write_digest(reader, day, now=now)
            written += 1
    return written
