"""The schedules of readers' editions and of the site's."""

from django.conf import settings

from accounts.models import User
from digests.editions.window import EVERY_DAY, Schedule


def schedule_of(user: User | None) -> Schedule:
    """The reader's schedule, or with None the site's: daily at DIGEST_HOUR of TIME_ZONE, or never
    if it is negative."""
    if user is not None:
        return Schedule.of(user.digest_hour, user.time_zone, user.digest_days)
    hour = settings.DIGEST_HOUR
    return Schedule(max(hour, 0), settings.TIME_ZONE, EVERY_DAY if hour >= 0 else frozenset())
