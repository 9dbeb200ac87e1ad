"""`manage.py archive`: moves months of long ago into files."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error
from django.utils import timezone

from feeds.archive.files import ArchiveError
from feeds.archive.store import archive_months
from feeds.core.ids import id_time
from feeds.models import ArchivePart


class Command(BaseCommand):
    help = (
        "Moves the months that ended so long ago into compressed files, one a month, and out of"
        " the database. What a reader saved stays. It may be stopped and run again at any time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        # Or a number below zero would be taken for an option, and its name for what is wrong.
        parser._negative_number_matcher = re.compile(r"-\d\w*$")
        parser.add_argument("--older-than", metavar="DAYS", help="180d or 180")
        parser.add_argument(
            "--folder", type=Path, default=settings.ARCHIVE_DIR, help="default: %(default)s"
        )
        parser.add_argument(
            "--again", action="store_true", help="also what was brought back from the archive"
        )
        parser.add_argument("--list", action="store_true", help="only say what is archived")

    def handle(self, *, older_than: str | None, folder: Path, again: bool, **options: Any) -> None:
        if options["list"]:
            return self._list()
        days = re.fullmatch(r"(\d{1,5})d?", older_than or "", re.IGNORECASE)
        if not days:
            said = f"{older_than!r} is no number of days. " if older_than else ""
            raise CommandError(f"{said}Say how old in days: --older-than 180d.")
        if int(days[1]) <= settings.UNREAD_HORIZON_DAYS:
            raise CommandError(
                f"--older-than must be more than the {settings.UNREAD_HORIZON_DAYS} days in which"
                " items count as unread (UNREAD_HORIZON_DAYS)."
            )
        try:
            moment = timezone.now() - timedelta(days=int(days[1]))
            made = archive_months(folder, moment, self.stdout.write, again=again)
        except ArchiveError as error:
            raise CommandError(str(error)) from error
        except Error as error:
            said = " ".join(str(error).split())
            raise CommandError(f"{said}. Nothing is lost; run the same command again.") from error
        if not made:
            self.stdout.write("No month is that old, or all of them are archived.")
        return None

    def _list(self) -> None:
        parts = ArchivePart.objects.order_by("low", "name")
        for part in parts:
            state = part.get_state_display()
            self.stdout.write(
                f"{part.name:10} {part.items:>9,} items, {part.size:,} bytes, {state}"
            )
        if not parts:
            self.stdout.write("Nothing is archived.")
        else:
            first = id_time(min(part.low for part in parts))
            self.stdout.write(f"The oldest is of {first:%B %Y}. manage.py restore_archive NAME …")
