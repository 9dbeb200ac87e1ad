"""`manage.py migrate_to_postgres` copies all data from SQLite to PostgreSQL."""

from ainews_site.transfer.command import TransferCommand


class Command(TransferCommand):
    help = (
        "Copies a SQLite database into an empty PostgreSQL database and compares the two. The"
        " source is only read. Run the same command again to resume after an interruption."
    )
    goal, goal_example = "postgresql", "postgres://user:password@host/name"
    origin = "sqlite3"
