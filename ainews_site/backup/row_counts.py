"""What a back-up is measured by, and the way to say that there is none."""

from django.db import connection

COUNTED = ("accounts_user", "feeds_source", "feeds_item", "feeds_itembody", "feeds_itemstate")


class BackupError(Exception):
    """What went wrong, and what to do, in a sentence."""


def counts() -> dict[str, int]:
    return {table: count(table) for table in COUNTED}


def count(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")  # noqa: S608 - our own names
        return int(cursor.fetchone()[0])
