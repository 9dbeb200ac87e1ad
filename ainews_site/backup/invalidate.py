"""Invalidates every cached value after a restore or a database migration."""

from django.db import transaction

from accounts.models import User, new_version
from feeds.coordination.revisions import CONTENT, GROUPING, bump_revision


def invalidate_caches() -> None:
    """Set new revisions and cache versions, which differ from all that came with the rows.

    A cache may outlive the database that it was filled from, and ledger numbers continue from the
    restored ones. With the same revisions and versions, cached values of other items would be used
    for the items of this database.
    """
    with transaction.atomic():
        bump_revision(CONTENT, GROUPING)
        User.objects.update(version=new_version())
