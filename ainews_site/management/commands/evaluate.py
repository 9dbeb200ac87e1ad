"""Measure what the product decides, one function a subject."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from feeds.stories.evaluate import evaluate, read_labels
from feeds.trends.evaluate import PLANTED, WEEKS
from feeds.trends.evaluate import evaluate as evaluate_trends

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
        planted = subjects.add_parser("trends", help="plant bursts in a world of chance")
        planted.add_argument("--weeks", type=int, default=WEEKS, help="quiet weeks to look at")
        planted.add_argument("--planted", type=int, default=PLANTED, help="bursts of each size")

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


def trends(options: dict[str, Any]) -> Lines:
    found = evaluate_trends(options["weeks"], options["planted"])
    yield "bursts of three times the background, found by the end of their first and second day"
    for one in found.recalls:
        name = f"bg{one.background}"
        yield f"trends_recall_1d_{name} {one.first:.2f}"
        yield f"trends_recall_2d_{name} {one.second:.2f}"
        yield f"trends_recall_24h_noon_{name} {one.noon:.2f}"
        yield f"trends_seed_recall_1d_{name} {one.seed:.2f}"
        yield f"trends_theory_1d_{name} {one.theory:.2f}"
        yield f"trends_theory_2d_{name} {one.theory_second:.2f}"
        yield f"trends_optimum_1d_{name} {one.optimum:.2f}"
    yield f"trends_false_alarms_week {found.false_alarms:.2f}"
    yield f"trends_seed_false_alarms_week {found.seed_false_alarms:.0f}"


SUBJECTS: dict[str, Callable[[dict[str, Any]], Lines]] = {
    "stories": stories,
    "trends": trends,
}
