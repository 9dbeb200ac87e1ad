"""`manage.py migrate_to_postgres`: moves everything from SQLite to PostgreSQL."""

from ainews_site.transfer.command import TransferCommand


class Command(TransferCommand):
    help = (
        "Moves everything from SQLite to an empty PostgreSQL and compares the two. The source is"
        " only read; after a kill the same command goes on where it was."
    )
    goal, goal_example = "postgresql", "postgres://user:password@host/name"
    origin = "sqlite3"
