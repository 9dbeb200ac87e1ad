"""Measure what the product decides, one function a subject."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from digests.editions.evaluate import evaluate_digests
from feeds.ai.embed.errors import EmbeddingError
from feeds.ai.embed.provider import KINDS, provider_for
from feeds.evaluation.ranking.ours import compare
from feeds.evaluation.ranking.readers import NEWSROOM_DAYS, RECORDED_DAYS, World, trials
from feeds.evaluation.ranking.world import newsroom_world, recorded_world
from feeds.evaluation.search.collection import read_collection
from feeds.evaluation.search.evaluate import evaluate_search
from feeds.evaluation.stories import evaluate, read_labels
from feeds.evaluation.trends import PLANTED, WEEKS
from feeds.evaluation.trends import evaluate as evaluate_trends

Lines = Iterator[str]
"""What is printed; the last ones are fixed `NAME VALUE` lines."""


class Command(BaseCommand):
    help = "Measures stories, search, ranking, trends or digests. Ends with NAME VALUE lines."

    def add_arguments(self, parser: CommandParser) -> None:
        subjects = parser.add_subparsers(dest="what", required=True)
        stories = subjects.add_parser(
            "stories", help="group the items of a labelled file in order of arrival"
        )
        stories.add_argument(
            "file", type=Path, help="tab-separated: published, publisher, url, title, story"
        )
        stories.add_argument(
            "--embeddings", choices=KINDS, default=settings.EMBEDDINGS, help="default: EMBEDDINGS"
        )

        search = subjects.add_parser("search", help="run the queries of a judged collection")
        search.add_argument(
            "folder", type=Path, help="in Cranfield's format (*.all*, *.qry, *.trec) or BEIR's"
        )
        digest = subjects.add_parser(
            "digest", help="check the sentences of stored editions against their sources"
        )
        digest.add_argument(
            "--days", type=int, default=30, help="editions of the last N days; default: 30"
        )

        ranking = subjects.add_parser(
            "ranking", help="rank for simulated readers of the sample newsroom or a recording"
        )
        ranking.add_argument(
            "recording", type=Path, nargs="?", help="folder or archive of FEED/YYYYMMDDTHHMMSSZ.xml"
        )
        ranking.add_argument("--readers", type=int, default=200, help="default: 200")
        ranking.add_argument(
            "--seed", type=int, default=1, help="seed of the simulation; default: 1"
        )
        planted = subjects.add_parser("trends", help="plant bursts in simulated news")
        planted.add_argument(
            "--weeks", type=int, default=WEEKS, help="quiet weeks to simulate; default: %(default)s"
        )
        planted.add_argument(
            "--planted",
            type=int,
            default=PLANTED,
            help="bursts of each size to plant; default: %(default)s",
        )

    def handle(self, *, what: str, **options: Any) -> None:
        for line in SUBJECTS[what](options):
            self.stdout.write(line)


def stories(options: dict[str, Any]) -> Lines:
    file: Path = options["file"]
    try:
        labelled = read_labels(file)
    except (OSError, ValueError) as error:
        raise CommandError(f"{file} cannot be read: {error}") from None
    started = time.perf_counter()
    vectors = _encoded(labelled.titles, options["embeddings"])
    encoding = time.perf_counter() - started
    found = evaluate(labelled.documents, labelled.labels, vectors)
    for name, value in (
        ("items", found.items),
        ("labelled", found.stories),
        ("clusters", found.clusters),
        ("largest_cluster", found.largest),
        ("largest_labelled", found.largest_story),
        ("encoding_seconds", f"{encoding:.1f}"),
        ("seconds", f"{found.seconds:.1f}"),
        ("f1_before_repair", f"{found.online.f1:.4f}"),
        ("pair_f1", f"{found.pairs.f1:.4f}"),
        ("precision", f"{found.repaired.precision:.4f}"),
        ("recall", f"{found.repaired.recall:.4f}"),
        ("f1", f"{found.repaired.f1:.4f}"),
    ):
        yield f"stories_{name} {value}"


def _encoded(titles: dict[int, str], kind: str) -> dict[int, Any]:
    if kind == "none":
        return {}
    model = settings.EMBEDDING_MODEL if kind == settings.EMBEDDINGS else ""
    try:
        rows = provider_for(kind, model).encode(list(titles.values()))
    except EmbeddingError as error:
        raise CommandError(str(error)) from None
    return dict(zip(titles, rows, strict=True))


def search(options: dict[str, Any]) -> Lines:
    folder: Path = options["folder"]
    try:
        collection = read_collection(folder)
    except (OSError, ValueError) as error:
        raise CommandError(f"{folder} cannot be read: {error}") from None
    found = evaluate_search(collection)
    yield f"documents {len(collection.documents)}"
    yield f"queries {found.queries}"
    yield f"search_ndcg10 {found.ndcg:.4f}"
    yield f"search_bm25_ndcg10 {found.bm25:.4f}"
    yield f"search_mrr {found.mrr:.4f}"
    yield f"search_recall50 {found.recall:.4f}"
    yield f"search_all_words_ndcg10 {found.all_words:.4f}"
    yield f"search_any_word_ndcg10 {found.any_word:.4f}"
    yield f"search_raw_grades_ndcg10 {found.with_best:.4f}"
    yield f"search_bm25_raw_grades_ndcg10 {found.bm25_with_best:.4f}"


def digest(options: dict[str, Any]) -> Lines:
    if options["days"] < 1:
        raise CommandError(f"--days must be 1 or more, not {options['days']}.")
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


def ranking(options: dict[str, Any]) -> Lines:
    recording: Path | None = options["recording"]
    if options["readers"] < 1:
        raise CommandError("--readers must be at least 1.")
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
    "search": search,
    "digest": digest,
    "ranking": ranking,
    "trends": trends,
}
