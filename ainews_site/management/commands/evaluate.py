"""Measure what the product decides, one function a subject."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from digests.evaluate import evaluate_digests
from feeds.stories.evaluate import evaluate, read_labels

Lines = Iterator[str]
"""What is printed; the last ones are fixed `NAME VALUE` lines."""


class Command(BaseCommand):
    help = "Measure what the product decides; ends with fixed NAME VALUE lines."

    def add_arguments(self, parser: CommandParser) -> None:
        subjects = parser.add_subparsers(dest="what", required=True)
        stories = subjects.add_parser(
            "stories", help="group the items of a labelled file as they would arrive"
        )
        stories.add_argument(
            "file", type=Path, help="tab-separated: published, publisher, url, title, story"
        )

        digest = subjects.add_parser(
            "digest", help="check the sentences of stored editions against what they cite"
        )
        digest.add_argument("--days", type=int, default=30, help="written since so many; 30")

    def handle(self, *, what: str, **options: Any) -> None:
        for line in SUBJECTS[what](options):
            self.stdout.write(line)


def stories(options: dict[str, Any]) -> Lines:
    file: Path = options["file"]
    try:
        documents, labels = read_labels(file)
    except (OSError, ValueError) as error:
        raise CommandError(f"{file} cannot be read: {error}") from None
    found = evaluate(documents, labels)
    yield f"items {found.items}"
    yield f"stories {found.stories}"
    yield f"clusters {found.clusters}"
    yield f"largest {found.largest}"
    yield f"seconds {found.seconds:.1f}"
    yield f"B-cubed F1 before repair {found.online.f1:.4f}"
    yield f"B-cubed precision {found.repaired.precision:.4f}"
    yield f"B-cubed recall {found.repaired.recall:.4f}"
    yield f"B-cubed F1 {found.repaired.f1:.4f}"


def digest(options: dict[str, Any]) -> Lines:
    if options["days"] < 1:
        raise CommandError(f"--days takes 1 or more, not {options['days']}.")
    found = evaluate_digests(options["days"])
    yield from (f"does not hold: {said}" for said in found.complaints)
    yield f"digest_editions {found.editions}"
    for writer, count in sorted(found.stories.items()):
        yield f"digest_stories_{_name(writer)} {count}"
    for model, (held, drafted) in sorted(found.survived.items()):
        yield f"digest_drafted_{_name(model)} {drafted}"
        yield f"digest_survived_share_{_name(model)} {held / drafted if drafted else 0:.4f}"
    yield f"digest_gone {found.gone}"
    yield f"digest_sentences {found.sentences}"
    yield f"digest_cited_share {found.cited_share:.4f}"


def _name(text: str) -> str:
    """A model's name as a part of a line's."""
    return re.sub(r"[^\w.:-]+", "_", text)


SUBJECTS: dict[str, Callable[[dict[str, Any]], Lines]] = {"stories": stories, "digest": digest}
