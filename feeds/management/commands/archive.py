"""`manage.py archive`: moves old months from the database into files."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error
from django.utils import timezone

from ainews_site.infra.invocation import PROGRAM
from ainews_site.infra.schema import explain
from feeds.archive.files import ArchiveError
from feeds.archive.store import archive_months
from feeds.core.ids import id_time
from feeds.models import ArchivePart


class Command(BaseCommand):
    help = (
        "Moves months older than a limit from the database into compressed files, one per month."
        " Saved items stay in the database. The command can be stopped and repeated at any time."
    )
    requires_system_checks = ("ainews",)  # the others load every page

    def add_arguments(self, parser: CommandParser) -> None:
        # Or a number below zero would be taken for an option, and its name for what is wrong.
        parser._negative_number_matcher = re.compile(r"-\d\w*$")
        parser.add_argument("--older-than", metavar="DAYS", help="least age in days, such as 180d")
        parser.add_argument(
            "--folder",
            type=Path,
            default=settings.ARCHIVE_DIR,
            help="folder of the archive files; default: %(default)s",
        )
        parser.add_argument(
            "--again", action="store_true", help="include months that were restored"
        )
        parser.add_argument("--list", action="store_true", help="only list what is archived")

    def handle(self, *, older_than: str | None, folder: Path, again: bool, **options: Any) -> None:
        if options["list"]:
            return self._list()
        days = re.fullmatch(r"(\d{1,5})d?", older_than or "", re.IGNORECASE)
        if not days:
            problem = f"{older_than!r} is not a number of days. " if older_than else ""
            raise CommandError(f"{problem}Give the age in days: --older-than 180d.")
        if int(days[1]) <= settings.UNREAD_HORIZON_DAYS:
            raise CommandError(
                f"--older-than must be more than the {settings.UNREAD_HORIZON_DAYS} days in which"
                " items count as unread (UNREAD_HORIZON_DAYS)."
            )
        try:
            moment = timezone.now() - timedelta(days=int(days[1]))
            archived = archive_months(folder, moment, self.stdout.write, again=again)
        except ArchiveError as error:
            raise CommandError(str(error)) from error
        except Error as error:
            if explain(error):
                raise
            reason = " ".join(str(error).split())
            raise CommandError(f"{reason}. Nothing is lost; run the same command again.") from error
        if not archived:
            self.stdout.write(
                "Nothing to archive: no month is that old, or all are archived already."
            )
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
            self.stdout.write(
                f"The oldest is {first:%B %Y}. Restore with: {PROGRAM} restore_archive NAME …"
            )
