"""Measure what the product decides against labelled data."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from feeds.stories.evaluate import evaluate, read_labels


class Command(BaseCommand):
    help = "Group the items of a labelled file as they would arrive, and print B-cubed scores."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=["stories"])
        parser.add_argument(
            "file", type=Path, help="tab-separated: published, publisher, url, title, story"
        )

    def handle(self, *, what: str, file: Path, **_: Any) -> None:
        try:
            documents, labels = read_labels(file)
        except (OSError, ValueError) as error:
            raise CommandError(f"{file} cannot be read: {error}") from None
        found = evaluate(documents, labels)
        self.stdout.write(f"items {found.items}")
        self.stdout.write(f"stories {found.stories}")
        self.stdout.write(f"clusters {found.clusters}")
        self.stdout.write(f"largest {found.largest}")
        self.stdout.write(f"seconds {found.seconds:.1f}")
        self.stdout.write(f"B-cubed F1 before repair {found.online.f1:.4f}")
        self.stdout.write(f"B-cubed precision {found.repaired.precision:.4f}")
        self.stdout.write(f"B-cubed recall {found.repaired.recall:.4f}")
        self.stdout.write(f"B-cubed F1 {found.repaired.f1:.4f}")
