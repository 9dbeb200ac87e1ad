"""Gives a database that came from elsewhere numbers of its own, for what was kept in a cache."""

from django.db import transaction

from accounts.models import User, new_version
from feeds.coordination.revisions import CONTENT, GROUPING, bump_revision


def invalidate_caches() -> None:
    """Other revisions and versions than any that came with the rows.

    A cache outlives the database that it was filled from, and the ledger counts on from where
    the rows were: with the same revisions and versions, what was kept of other items would be
    taken for what is here.
    """
    with transaction.atomic():
        bump_revision(CONTENT, GROUPING)
        User.objects.update(version=new_version())
