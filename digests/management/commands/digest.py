"""Write and print a digest."""

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from ainews_site.infra.invocation import RUN
from digests.channels.plain_text import as_text
from digests.editions.writing import today_of, write_synchronously


def _day(value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise CommandError(f"--date must be a day as YYYY-MM-DD, not {value!r}.") from None


class Command(BaseCommand):
    help = "Writes and prints the digest of a reader, of every reader, or of the site."
    requires_system_checks = ("ainews",)  # the others load every page

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--date", help="day of the edition as YYYY-MM-DD; default: today")
        parser.add_argument("--user", help="username of the reader; default: every reader")
        parser.add_argument(
            "--global", action="store_true", help="the site digest, from public sources"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        day = _day(options["date"]) if options["date"] else None
        if options["global"]:
            self._write(None, day)
            return
        readers = User.objects.filter(is_active=True).order_by("pk")
        if options["user"]:
            readers = readers.filter(username=options["user"])
        if not readers:
            raise CommandError(self._no_reader_message(options["user"]))
        for reader in readers:
            self._write(reader, day)

    def _write(self, reader: User | None, day: date | None) -> None:
        today = today_of(reader)
        if day and day > today:
            raise CommandError(f"{day} is in the future.")
        self.stdout.write(as_text(write_synchronously(reader, day or today)))

    def _no_reader_message(self, name: str | None) -> str:
        if name:
            return f"No active account is named {name!r}."
        return f"There are no accounts yet. `{RUN}` creates the first one."
