"""Write and print a digest."""

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.models import User
from digests.text import as_text
from digests.window import reader_today
from digests.write import write_digest


def _day(value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise CommandError(f"--date takes a day as YYYY-MM-DD, not {value!r}.") from None


class Command(BaseCommand):
    help = "Write a reader's digest (today's, or --date YYYY-MM-DD) and print it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--date", help="YYYY-MM-DD, today by default")
        parser.add_argument("--user", help="the reader's name; every reader by default")

    def handle(self, *args: Any, **options: Any) -> None:
        day = _day(options["date"]) if options["date"] else None
        readers = User.objects.filter(is_active=True).order_by("pk")
        if options["user"]:
            readers = readers.filter(username=options["user"])
        if not readers:
            raise CommandError(self._nobody(options["user"]))
        for reader in readers:
            if day and day > reader_today(reader.time_zone, timezone.now()):
                raise CommandError(f"{day} has not come yet.")
            self.stdout.write(as_text(write_digest(reader, day)))

    def _nobody(self, name: str | None) -> str:
        if name:
            return f"There is no reader called {name!r}."
        return "There is no reader yet: start once with `make run`, which makes the first account."
