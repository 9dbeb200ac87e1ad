"""Find the edition that a reader should see."""

from datetime import date

from django.utils import timezone

from accounts.models import User
from digests.models import Digest
from digests.window import reader_today
from digests.write import write_digest
from feeds.language.complete import is_configured


def todays_digest(user: User) -> Digest:
    """Today's edition, written now if it has not been: who asks for it is not sent away."""
    day = reader_today(user.time_zone, timezone.now())
    return Digest.objects.filter(user=user, date=day).first() or write_now(user, day)


def write_now(user: User, day: date | None = None) -> Digest:
    """Without waiting for any model; one that may be asked writes it again in the worker."""
    digest = write_digest(user, day)
    if is_configured():
        from digests.tasks import write_soon  # brings what fetches feeds: no page needs it

        write_soon(user, digest.date)
    return digest
