"""`manage.py evaluate` measures stories, search, ranking, digests or trends.

There is one function for each subject.
"""

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
"""The printed lines. The last ones have the form `NAME VALUE`."""


class Command(BaseCommand):
    help = "Measures stories, search, ranking, trends or digests. Ends with NAME VALUE lines."

    def add_arguments(self, parser: CommandParser) -> None:
        subjects = parser.add_subparsers(dest="what", metavar="SUBJECT", required=True)
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
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:
        raise CommandError(f"{file} cannot be read: {error}") from None
    started = time.perf_counter()
    vectors = _encode(labelled.titles, options["embeddings"])
    encoding = time.perf_counter() - started
    result = evaluate(labelled.documents, labelled.labels, vectors)
    for name, value in (
        ("items", result.items),
        ("labelled", result.stories),
        ("clusters", result.clusters),
        ("largest_cluster", result.largest),
        ("largest_labelled", result.largest_story),
        ("encoding_seconds", f"{encoding:.1f}"),
        ("seconds", f"{result.seconds:.1f}"),
        ("f1_before_repair", f"{result.online.f1:.4f}"),
        ("pair_f1", f"{result.pairs.f1:.4f}"),
        ("precision", f"{result.repaired.precision:.4f}"),
        ("recall", f"{result.repaired.recall:.4f}"),
        ("f1", f"{result.repaired.f1:.4f}"),
    ):
        yield f"stories_{name} {value}"


def _encode(titles: dict[int, str], kind: str) -> dict[int, Any]:
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
    except OSError as error:
        raise CommandError(f"{folder} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:
        raise CommandError(f"{folder} cannot be read: {error}") from None
    result = evaluate_search(collection)
    yield f"documents {len(collection.documents)}"
    yield f"queries {result.queries}"
    yield f"search_ndcg10 {result.ndcg:.4f}"
    yield f"search_bm25_ndcg10 {result.bm25:.4f}"
    yield f"search_mrr {result.mrr:.4f}"
    yield f"search_recall50 {result.recall:.4f}"
    yield f"search_all_words_ndcg10 {result.all_words:.4f}"
    yield f"search_any_word_ndcg10 {result.any_word:.4f}"
    yield f"search_raw_grades_ndcg10 {result.with_best:.4f}"
    yield f"search_bm25_raw_grades_ndcg10 {result.bm25_with_best:.4f}"


def digest(options: dict[str, Any]) -> Lines:
    if options["days"] < 1:
        raise CommandError(f"--days must be 1 or more, not {options['days']}.")
    result = evaluate_digests(options["days"])
    yield from (f"not supported: {error}" for error in result.complaints)
    yield f"digest_editions {result.editions}"
    for writer, count in sorted(result.stories.items()):
        yield f"digest_stories_{_name(writer)} {count}"
    for model, (held, drafted) in sorted(result.survived.items()):
        yield f"digest_drafted_{_name(model)} {drafted}"
        yield f"digest_survived_share_{_name(model)} {held / drafted if drafted else 0:.4f}"
    yield f"digest_gone {result.gone}"
    yield f"digest_sentences {result.sentences}"
    yield f"digest_cited_share {result.cited_share:.4f}"


def _name(text: str) -> str:
    """Return the name of a model as a part of the NAME of a line."""
    return re.sub(r"[^\w.:-]+", "_", text)


def ranking(options: dict[str, Any]) -> Lines:
    recording: Path | None = options["recording"]
    if options["readers"] < 1:
        raise CommandError("--readers must be at least 1.")
    try:
        articles = recorded_world(recording) if recording else newsroom_world()
    except ValueError as error:
        raise CommandError(str(error)) from None
    training, held_out = RECORDED_DAYS if recording else NEWSROOM_DAYS
    world = World(articles)
    result = list(
        trials(
            world,
            readers=options["readers"],
            seed=options["seed"],
            training=training,
            held_out=held_out,
        )
    )
    yield f"items {len(articles)}"
    yield f"simulated readers {len(result)}, {training} days to learn, {held_out} held out"
    for name, value in compare(result):
        yield f"{name} {value:.4f}"


def trends(options: dict[str, Any]) -> Lines:
    result = evaluate_trends(options["weeks"], options["planted"])
    yield "bursts of three times the background, result by the end of their first and second day"
    for recall in result.recalls:
        name = f"bg{recall.background}"
        yield f"trends_recall_1d_{name} {recall.first:.2f}"
        yield f"trends_recall_2d_{name} {recall.second:.2f}"
        yield f"trends_recall_24h_noon_{name} {recall.noon:.2f}"
        yield f"trends_seed_recall_1d_{name} {recall.seed:.2f}"
        yield f"trends_theory_1d_{name} {recall.theory:.2f}"
        yield f"trends_theory_2d_{name} {recall.theory_second:.2f}"
        yield f"trends_optimum_1d_{name} {recall.optimum:.2f}"
    yield f"trends_false_alarms_week {result.false_alarms:.2f}"
    yield f"trends_seed_false_alarms_week {result.seed_false_alarms:.0f}"


SUBJECTS: dict[str, Callable[[dict[str, Any]], Lines]] = {
    "stories": stories,
    "search": search,
    "digest": digest,
    "ranking": ranking,
    "trends": trends,
}
