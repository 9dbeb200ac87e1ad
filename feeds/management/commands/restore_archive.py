"""`manage.py restore_archive 2025-03`: restores archived months into the database."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from ainews_site.infra.schema import explain
from feeds.archive.files import ArchiveError
from feeds.archive.restore import restore_part


class Command(BaseCommand):
    help = "Restores archived months into the database. The archive files are kept."
    requires_system_checks = ("ainews",)  # the others load every page

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "names",
            nargs="+",
            metavar="NAME",
            help="archived month, such as 2025-03; see archive --list",
        )
        parser.add_argument(
            "--folder",
            type=Path,
            default=settings.ARCHIVE_DIR,
            help="folder of the archive files; default: %(default)s",
        )

    def handle(self, *, names: list[str], folder: Path, **_: Any) -> None:
        for name in names:
            try:
                result = restore_part(folder, name)
            except ArchiveError as error:
                raise CommandError(str(error)) from error
            except Error as error:
                if explain(error):
                    raise
                reason = " ".join(str(error).split())
                raise CommandError(
                    f"{reason}. {name} was restored in part and its file is kept; run the same"
                    " command again."
                ) from error
            message = f"{name}: {result.items:,} items restored"
            if result.existing:
                message += f", {result.existing:,} already there"
            if result.orphans:
                message += f", {result.orphans:,} skipped because their sources were deleted"
            self.stdout.write(f"{message}.")
