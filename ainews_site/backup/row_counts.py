"""Row counts that verify a backup, and BackupError."""

from django.db import connection

COUNTED = ("accounts_user", "feeds_source", "feeds_item", "feeds_itembody", "feeds_itemstate")


class BackupError(Exception):
    """A backup or a restore failed. The message is a sentence for the operator."""


def counts() -> dict[str, int]:
    """Return the numbers of rows of the tables in COUNTED."""
    return {table: count(table) for table in COUNTED}


def count(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")  # noqa: S608 - our own names
        return int(cursor.fetchone()[0])
