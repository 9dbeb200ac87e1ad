"""`manage.py migrate_to_sqlite`: moves everything from PostgreSQL to a file of SQLite."""

from ainews_site.transfer.command import TransferCommand


class Command(TransferCommand):
    help = (
        "Moves everything from PostgreSQL to a new file of SQLite and compares the two. The"
        " source is only read; after a kill the same command goes on where it was."
    )
    goal, goal_example = "sqlite3", "sqlite:////folder/ainews.sqlite3"
    origin = "postgresql"
