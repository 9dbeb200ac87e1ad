"""`manage.py restore FILE`: puts a back-up in the place of the database."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from ainews_site.backup.invalidate import renumber
from ainews_site.backup.row_counts import BackupError
from ainews_site.backup.sqlite import is_damaged, keep_what_is_there, restore_backup, usable_backup
from ainews_site.infra.db_errors import in_words


class Command(BaseCommand):
    help = "Puts a back-up in the place of the database. Stop AI News before."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="in the folder of the back-ups, or its path")
        parser.add_argument(
            "--replace",
            action="store_true",
            help="even where the database has rows, which are kept in a back-up, or is damaged",
        )

    def handle(self, *, file: Path, replace: bool, **_: Any) -> None:
        folder = settings.DATA / "backups"
        path = file if file.exists() else folder / file
        try:
            manifest = usable_backup(path)  # before anything is touched
            if not replace and is_damaged():
                raise CommandError(
                    "The database is damaged. Say --replace to put the back-up in its place; its"
                    " file is kept beside the back-ups."
                )
            if replace and (kept := keep_what_is_there(folder / "replaced")):
                self.stdout.write(f"What was there is in {kept}.")
            restore_backup(path, manifest, replace=replace)
        except BackupError as error:
            raise CommandError(str(error)) from error
        except Error as error:
            said = in_words(error, settings.DATABASES["default"]) or str(error)
            raise CommandError(f"Nothing was restored: {said}") from error
        call_command("migrate", verbosity=0)
        renumber()
        items = manifest.rows["feeds_item"]
        self.stdout.write(f"Restored the state of {manifest.made_at[:19]} UTC: {items:,} items.")
