"""Find the edition that a reader should see."""

from django.utils import timezone

from accounts.models import User
from digests.models import Digest
from digests.window import reader_today
from digests.write import write_digest


def todays_digest(user: User) -> Digest:
    """Today's edition, written now if it has not been: who asks for it is not sent away."""
    day = reader_today(user.time_zone, timezone.now())
    return Digest.objects.filter(user=user, date=day).first() or write_digest(user, day)
