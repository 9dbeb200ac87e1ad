"""`manage.py demo_newsroom`: serves the sample newsroom, or writes its labels."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from feeds.demo.labels import write_labels
from feeds.demo.server import Newsroom


class Command(BaseCommand):
    help = "Serves the sample newsroom, whose content is invented, as real feeds on this machine."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=0, help="default: 0, any free port")
        parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")
        parser.add_argument("--seed", type=int, default=1, help="seed of the content; default: 1")
        parser.add_argument(
            "--labels", type=Path, metavar="FILE", help="write the labelled items to FILE and exit"
        )

    def handle(self, *, port: int, host: str, seed: int, labels: Path | None, **_: Any) -> None:
        newsroom = self._open(port, host, seed)
        try:
            if labels is not None:
                count = write_labels(labels, newsroom.published.edition, newsroom.port)
                self.stdout.write(f"{count} items written to {labels}")
            else:
                self._serve(newsroom)
        finally:
            newsroom.close()

    def _open(self, port: int, host: str, seed: int) -> Newsroom:
        try:
            return Newsroom(port, host=host, seed=seed)
        except OSError as error:
            raise CommandError(
                f"The sample newsroom cannot listen on {host}:{port}: {error.strerror or error}."
            ) from error

    def _serve(self, newsroom: Newsroom) -> None:
        self.stdout.write(f"Sample newsroom at {newsroom.base_url} (feeds: /opml.xml)")
        self.stdout.flush()
        try:
            newsroom.serve_forever()
        except KeyboardInterrupt:
            self.stdout.write("The sample newsroom has stopped.")
