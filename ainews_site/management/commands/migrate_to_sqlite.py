"""`manage.py migrate_to_sqlite` copies all data from PostgreSQL to a SQLite file."""

from ainews_site.transfer.command import TransferCommand


class Command(TransferCommand):
    help = (
        "Copies a PostgreSQL database into a new SQLite file and compares the two. The source is"
        " only read. Run the same command again to resume after an interruption."
    )
    goal, goal_example = "sqlite3", "sqlite:////folder/ainews.sqlite3"
    origin = "postgresql"
