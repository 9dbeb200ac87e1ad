"""`manage.py backup` makes a verified backup of the whole database."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from ainews_site.backup.row_counts import BackupError
from ainews_site.backup.sqlite import make_backup
from ainews_site.infra.invocation import PROGRAM
from ainews_site.infra.schema import has_no_tables, problem_in_words, schema_problem


class Command(BaseCommand):
    help = "Backs up the whole database while AI News runs, and verifies the copy."
    requires_system_checks = ("ainews",)  # the others load every page

    def add_arguments(self, parser: CommandParser) -> None:
        folder = settings.DATA / "backups"
        parser.add_argument(
            "--folder",
            type=Path,
            default=folder,
            help="folder of the backups; default: %(default)s",
        )
        parser.add_argument(
            "--keep",
            type=int,
            default=0,
            metavar="N",
            help="delete all but the newest N backups; 0, the default, keeps all",
        )

    def handle(self, *, folder: Path, keep: int, **_: Any) -> None:
        if keep < 0:
            raise CommandError("--keep must be 0 (keep all) or more.")
        try:
            if has_no_tables():
                raise BackupError(schema_problem())
            path = make_backup(folder, keep=keep)
        except BackupError as error:
            raise CommandError(str(error)) from error
        except Error as error:
            reason = problem_in_words(error) or str(error)
            raise CommandError(f"No backup was made: {reason}") from error
        size = path.stat().st_size / 2**20
        self.stdout.write(
            f"{path}: {size:,.1f} MB, verified. Restore it with: {PROGRAM} restore {path.name}"
        )
        self.stdout.write("Not included: archive files, SECRET_KEY and .env.")
