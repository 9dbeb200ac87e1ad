"""Write and print a digest."""

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from digests.text import as_text
from digests.writing import today_of, write_at_once


def _day(value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise CommandError(f"--date takes a day as YYYY-MM-DD, not {value!r}.") from None


class Command(BaseCommand):
    help = "Write a reader's digest, or everyone's (today's, or --date YYYY-MM-DD), and print it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--date", help="YYYY-MM-DD, today by default")
        parser.add_argument("--user", help="the reader's name; every reader by default")
        parser.add_argument("--global", action="store_true", help="everyone's, of public sources")

    def handle(self, *args: Any, **options: Any) -> None:
        day = _day(options["date"]) if options["date"] else None
        if options["global"]:
            self._write(None, day)
            return
        readers = User.objects.filter(is_active=True).order_by("pk")
        if options["user"]:
            readers = readers.filter(username=options["user"])
        if not readers:
            raise CommandError(self._nobody(options["user"]))
        for reader in readers:
            self._write(reader, day)

    def _write(self, reader: User | None, day: date | None) -> None:
        today = today_of(reader)
        if day and day > today:
            raise CommandError(f"{day} has not come yet.")
        self.stdout.write(as_text(write_at_once(reader, day or today)))

    def _nobody(self, name: str | None) -> str:
        if name:
            return f"There is no reader called {name!r}."
        return "There is no reader yet: start once with `make run`, which makes the first account."
