"""`manage.py restore FILE` replaces the database with a backup."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from ainews_site.backup.invalidate import invalidate_caches
from ainews_site.backup.row_counts import BackupError
from ainews_site.backup.sqlite import is_damaged, restore_backup, save_replaced, usable_backup
from ainews_site.infra.schema import problem_in_words


class Command(BaseCommand):
    help = "Replaces the database with a backup. Stop AI News first."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="name in the backup folder, or a path")
        parser.add_argument(
            "--replace",
            action="store_true",
            help="replace a database that has rows (they are backed up first) or is damaged",
        )

    def handle(self, *, file: Path, replace: bool, **_: Any) -> None:
        folder = settings.DATA / "backups"
        path = file if file.exists() else folder / file
        try:
            manifest = usable_backup(path)  # before anything is changed
            if not replace and is_damaged():
                raise CommandError(
                    "The database is damaged. Use --replace to replace it; its file is saved beside"
                    " the backups."
                )
            if replace and (saved := save_replaced(folder / "replaced")):
                self.stdout.write(f"The previous database was saved as {saved}.")
            restore_backup(path, manifest, replace=replace)
        except BackupError as error:
            raise CommandError(str(error)) from error
        except Error as error:
            reason = problem_in_words(error) or str(error)
            raise CommandError(f"Nothing was restored: {reason}") from error
        call_command("migrate", verbosity=0)
        invalidate_caches()
        items = manifest.rows["feeds_item"]
        self.stdout.write(f"Restored the backup of {manifest.made_at[:19]} UTC: {items:,} items.")
