"""Rate limits for actions that cost others something: e-mails, test posts, editions."""

from datetime import timedelta

from django.db.models import F

from accounts.models import User
from ainews_site.infra import db_clock
from digests.models import Allowance

LIMITS = {
    "write": (6, timedelta(hours=1)),
    "test": (10, timedelta(hours=1)),
    "confirm": (5, timedelta(days=1)),
}
"""{action: (how often, within which time)}"""


def spend(user: User, action: str) -> bool:
    """Count one use of `action`, a key of LIMITS. Return False if the limit is reached."""
    most, period = LIMITS[action]
    now = db_clock.now()
    own, _ = Allowance.objects.get_or_create(user=user, action=action, defaults={"since": now})
    row = Allowance.objects.filter(pk=own.pk)
    # The conditions are in the UPDATE, so that concurrent requests cannot exceed the limit.
    row.filter(since__lte=now - period).update(since=now, used=0)
    return row.filter(used__lt=most).update(used=F("used") + 1) == 1
