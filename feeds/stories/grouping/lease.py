"""The lease that lets one process group at a time."""

from contextlib import AbstractContextManager

from django.db.models import F

from feeds.coordination.lease import Held, lease
from feeds.coordination.revisions import GROUPING, bump_revision
from feeds.models import Lease

NAME = "group"


def grouping_lease() -> AbstractContextManager[Held | None]:
    """Acquire the lease. The context manager gives None if another process is grouping."""
    return lease(NAME)


def invalidate_grouping() -> None:
    """Invalidate what processes have read of the stories. Call it before changing stories.

    It takes the grouping lease away and bumps the revision GROUPING, in the order in which the
    grouping task locks these rows, so that the two cannot deadlock.
    """
    Lease.objects.filter(name=NAME).update(holder="", token=F("token") + 1)
    bump_revision(GROUPING)
