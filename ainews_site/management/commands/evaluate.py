"""Measure what the product decides, one function a subject."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from feeds.simulation.ours import compare
from feeds.simulation.readers import NEWSROOM_DAYS, RECORDED_DAYS, World, trials
from feeds.simulation.world import newsroom_world, recorded_world
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

        ranking = subjects.add_parser(
            "ranking", help="rank for simulated readers, in the sample newsroom or a recording"
        )
        ranking.add_argument(
            "recording", type=Path, nargs="?", help="folder or archive of FEED/YYYYMMDDTHHMMSSZ.xml"
        )
        ranking.add_argument("--readers", type=int, default=200)
        ranking.add_argument("--seed", type=int, default=1)

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


def ranking(options: dict[str, Any]) -> Lines:
    recording: Path | None = options["recording"]
    if options["readers"] < 1:
        raise CommandError("There must be at least one reader.")
    try:
        told = recorded_world(recording) if recording else newsroom_world()
    except ValueError as error:
        raise CommandError(str(error)) from None
    training, held_out = RECORDED_DAYS if recording else NEWSROOM_DAYS
    world = World(told)
    found = list(
        trials(
            world,
            readers=options["readers"],
            seed=options["seed"],
            training=training,
            held_out=held_out,
        )
    )
    yield f"items {len(told)}"
    yield f"simulated readers {len(found)}, {training} days to learn, {held_out} held out"
    for name, value in compare(found):
        yield f"{name} {value:.4f}"


SUBJECTS: dict[str, Callable[[dict[str, Any]], Lines]] = {
    "stories": stories,
    "ranking": ranking,
}
