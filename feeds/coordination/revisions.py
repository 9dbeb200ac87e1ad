"""Revision numbers, which invalidate cached data when existing items or stories change.

A cached value is stored with the revision that was read before it was computed, as its validator.
New items need no revision, because the newest ledger number shows them. A revision is a row that is
written in the same transaction as the change, so no process can miss it. Corrections in the admin
write it just after their transaction.
"""

import secrets
from typing import Any, NamedTuple

from accounts.models import User
from ainews_site.infra.db_router import reading_connection
from feeds.models import ItemKey, Revision

CONTENT, GROUPING = "content", "grouping"
"""CONTENT changes when items or stories are corrected or removed, GROUPING when items move between
stories."""


class News(NamedTuple):
    """The state that cached pages of one user depend on.

    It has the newest ledger number, both revisions, and the cache version of the user.
    """

    seq: int
    content: int
    grouping: int
    cache_version: int


def bump_revision(*names: str) -> None:
    """Set new random numbers for these revisions. No number is ever used twice.

    Call it last in a transaction. GROUPING is always locked before CONTENT. The grouping task locks
    in that order, so any other order could deadlock.
    """
    Revision.objects.bulk_create(
        [Revision(name=name, number=secrets.randbits(62)) for name in sorted(names, reverse=True)],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["number"],
    )


def bump_revision_if_used(name: str, database: Any) -> None:
    """Bump a revision during a migration, if the database has the table and any items.

    An old database may not have the table yet, and a new one has nothing cached.
    """
    has_table = Revision._meta.db_table in database.introspection.table_names()
    if has_table and ItemKey.objects.using(database.alias).exists():
        bump_revision(name)


def latest_seq() -> int:
    """Return the newest ledger number, or 0 if the ledger is empty."""
    newest = ItemKey.objects.order_by("-seq").values_list("seq", flat=True).first()
    return newest or 0


def news_columns(user_id: int) -> tuple[str, list[Any]]:
    """Return the columns of `News` as SQL without a table, and the parameters."""
    number = "COALESCE((SELECT number FROM feeds_revision WHERE name = %s), 0)"
    columns = (
        f"COALESCE((SELECT max(seq) FROM feeds_itemkey), 0), {number}, {number},"  # noqa: S608 - no input
        " COALESCE((SELECT version FROM accounts_user WHERE id = %s), 0)"
    )
    return columns, [CONTENT, GROUPING, user_id]


def news_for(user: User) -> News:
    """Return the current state for `user`, by one query, because every page needs it.

    The cache version is read again, because it may have changed since `user` was loaded.
    """
    columns, parameters = news_columns(user.pk)
    with reading_connection().cursor() as cursor:
        cursor.execute(f"SELECT {columns}", parameters)
        return News(*cursor.fetchone())
