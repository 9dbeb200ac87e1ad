"""Numbers that change with what is known already: what is new is told by the ledger.

Who remembers something keeps it together with the number that it read before. They are rows,
written in the transaction of the change, so that no process can miss one; what an administrator
corrects writes them just after it.
"""

import secrets
from typing import Any, NamedTuple

from accounts.models import User
from ainews_site.infra.db_router import reading_connection
from feeds.models import ItemKey, Revision

CONTENT, GROUPING = "content", "grouping"
"""Items or stories that were corrected, or grouped; items that were taken out of their story,
out of their source, or away."""


class News(NamedTuple):
    """How far everything had come: the newest ledger number, the revisions, and the reader's
    own version."""

    seq: int
    content: int
    grouping: int
    version: int


def revise(*names: str) -> None:
    """Another number, by chance, so that none comes again. As the last of a transaction, and
    grouping first: it is the first of whoever groups, and two must not wait for each other."""
    Revision.objects.bulk_create(
        [Revision(name=name, number=secrets.randbits(62)) for name in sorted(names, reverse=True)],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["number"],
    )


def revise_if_any(name: str, database: Any) -> None:
    """The same while a database is migrated: an old one lacks the table as yet, and a new one
    has nothing that could be remembered."""
    has_table = Revision._meta.db_table in database.introspection.table_names()
    if has_table and ItemKey.objects.using(database.alias).exists():
        revise(name)


def latest_seq() -> int:
    """The newest ledger number, 0 when there is none."""
    newest = ItemKey.objects.order_by("-seq").values_list("seq", flat=True).first()
    return newest or 0


def news_for(user: User) -> News:
    """In one query, as each page asks. The version is read again: the reader may have acted
    since `user` was."""
    number = "COALESCE((SELECT number FROM feeds_revision WHERE name = %s), 0)"
    with reading_connection().cursor() as cursor:
        cursor.execute(
            f"SELECT COALESCE((SELECT max(seq) FROM feeds_itemkey), 0), {number}, {number},"  # noqa: S608 - no input
            " COALESCE((SELECT version FROM accounts_user WHERE id = %s), 0)",
            [CONTENT, GROUPING, user.pk],
        )
        return News(*cursor.fetchone())
