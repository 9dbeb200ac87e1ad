"""`manage.py export_opml`: writes a reader's sources as OPML."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from feeds.management.readers import find_reader
from feeds.sources.subscriptions import export_opml


class Command(BaseCommand):
    help = "Writes a reader's sources as OPML to a file or the terminal."
    requires_system_checks = ("ainews",)  # the others load every page

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, nargs="?", help="default: standard output")
        parser.add_argument("--user", help="the reader; default: the first")

    def handle(self, *, file: Path | None, user: str | None, **_: Any) -> None:
        opml = export_opml(find_reader(user))
        if file is None:
            return self.stdout.write(opml.decode())
        try:
            file.write_bytes(opml)
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror or error}.") from None
        self.stdout.write(f"Written to {file}.")
