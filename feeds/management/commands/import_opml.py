"""`manage.py import_opml`: follows all feeds of an OPML file."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from feeds.core.errors import FeedError
from feeds.management.readers import find_reader
from feeds.sources.subscriptions import import_opml


class Command(BaseCommand):
    help = "Follows all feeds of an OPML file and keeps their folders."
    requires_system_checks = ("ainews",)  # the others load every page

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="OPML file")
        parser.add_argument("--user", help="the reader who follows them; default: the first")

    def handle(self, *, file: Path, user: str | None, **_: Any) -> None:
        reader = find_reader(user)
        try:
            report = import_opml(reader, file.read_bytes())
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror or error}.") from None
        except FeedError as error:
            raise CommandError(f"{file} cannot be imported: {error}") from None
        for line, why in report.failed:
            self.stdout.write(f"failed: {line[:200]}  {why}")
        self.stdout.write(
            f"{len(report.added)} added, {len(report.known)} already followed, "
            f"{len(report.failed)} failed."
        )
