"""The right to group."""

from contextlib import AbstractContextManager

from django.db.models import F

from feeds.coordination.lease import Held, lease
from feeds.coordination.revisions import GROUPING, bump_revision
from feeds.models import Lease

NAME = "group"


def grouping_lease() -> AbstractContextManager[Held | None]:
    """The lease, or None while another process groups."""
    return lease(NAME)


def forget_state() -> None:
    """Somebody changes stories: whoever grouped last must read them anew, as must who
    remembers them. In this order, as whoever groups takes the two rows in it."""
    Lease.objects.filter(name=NAME).update(holder="", token=F("token") + 1)
    bump_revision(GROUPING)
