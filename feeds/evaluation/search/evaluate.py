# ruff: noqa: S608 - the SQL is built from constants, values are parameters
"""Measure the product's search on judged queries, in a temporary database."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from html import escape
from os import getpid
from statistics import fmean

from django.db import connection

from accounts.models import User
from ainews_site.infra import db_clock
from feeds.evaluation.search.collection import BEST_GRADE, Collection, Document
from feeds.evaluation.search.measures import BM25, ndcg, recall, reciprocal_rank
from feeds.ingest.clean.entries import clean_feed
from feeds.ingest.parse.types import Entry, ParsedFeed
from feeds.ingest.store import store_entries
from feeds.models import Item, Source, Subscription
from feeds.search.popular import Search
from feeds.search.query.parser import parse_query
from feeds.search.run import search_items
from feeds.search.sqlite.index import TOKENIZER

DEPTH = 50
_SITE = "https://collection.example/"


@dataclass(frozen=True, slots=True)
class SearchQuality:
    """Means over the judged queries.

    `ndcg`, `mrr` and `recall` are of the product; `all_words` and `any_word` are nDCG of its two
    stages, `bm25` of the reference. For `with_best` and `bm25_with_best`, grades beyond the scale
    count as gains instead of as not relevant.
    """

    queries: int
    ndcg: float
    mrr: float
    recall: float
    all_words: float
    any_word: float
    bm25: float
    with_best: float
    bm25_with_best: float


def evaluate_search(collection: Collection) -> SearchQuality:
    """Store the documents as items of a feed, and run the queries through the product's search."""
    with _scratch_database():
        reader, names = _store(collection.documents)
        judged = {q: t for q, t in collection.queries.items() if q in collection.judgements}
        runs = {q: _ask(reader, text, names) for q, text in judged.items()}
        bags = _bags([*judged.values()])
        documents, queries = _document_bags(names), dict(zip(judged, bags, strict=True))
    reference = BM25(documents)
    ranked = {name: reference.rank(terms, DEPTH) for name, terms in queries.items()}
    return _quality(collection, runs, ranked)


def _quality(
    collection: Collection,
    runs: Mapping[str, "_Run"],
    reference: Mapping[str, Sequence[str]],
) -> SearchQuality:
    grades = {q: _graded(collection.judgements[q]) for q in runs}
    known = [q for q in runs if any(grades[q].values())]
    raw = {q: {n: max(0, g) for n, g in collection.judgements[q].items()} for q in known}
    return SearchQuality(
        queries=len(known),
        ndcg=fmean(ndcg(runs[q].product, grades[q]) for q in known),
        mrr=fmean(reciprocal_rank(runs[q].product, grades[q]) for q in known),
        recall=fmean(recall(runs[q].product, grades[q], DEPTH) for q in known),
        all_words=fmean(ndcg(runs[q].all_words, grades[q]) for q in known),
        any_word=fmean(ndcg(runs[q].any_word, grades[q]) for q in known),
        bm25=fmean(ndcg(reference[q], grades[q]) for q in known),
        with_best=fmean(ndcg(runs[q].product, raw[q]) for q in known),
        bm25_with_best=fmean(ndcg(reference[q], raw[q]) for q in known),
    )


def _graded(judgements: Mapping[str, int]) -> dict[str, int]:
    return {name: grade if 0 <= grade <= BEST_GRADE else 0 for name, grade in judgements.items()}


@contextmanager
def _scratch_database() -> Iterator[None]:
    """Create a database beside the configured one, as tests do, and drop it afterwards."""
    settings = connection.settings_dict
    name, test = settings["NAME"], settings["TEST"].get("NAME")
    if connection.vendor == "postgresql":
        settings["TEST"]["NAME"] = f"{name}_search_{getpid()}"
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)
        settings["TEST"]["NAME"] = test


def _store(documents: Sequence[Document]) -> tuple[User, dict[int, str]]:
    """Store the documents as items. Return a reader who sees them, and {item id: document}."""
    now = db_clock.now()
    reader = User.objects.create_user("reader")
    source = Source.objects.create(url=f"{_SITE}feed", title="Collection")
    Subscription.objects.create(user=reader, source=source)
    entries = tuple(
        Entry(
            guid=f"{_SITE}{number}",
            link=f"{_SITE}{number}",
            title=document.title,
            html=f"<p>{escape(document.text)}</p>",
            published=now - timedelta(minutes=len(documents) - number),
        )
        for number, document in enumerate(documents)
    )
    clean = clean_feed(ParsedFeed("rss", entries=entries), source.url, trusts_guid=True, now=now)
    store_entries(source.pk, clean.entries, now=now, language="en")
    urls = Item.objects.values_list("pk", "url")
    return reader, {pk: documents[int(url.rpartition("/")[2])].name for pk, url in urls}


@dataclass(frozen=True, slots=True)
class _Run:
    """The results of one query: names of documents, best first."""

    product: list[str]
    all_words: list[str]
    any_word: list[str]


def _ask(reader: User, text: str, names: Mapping[int, str]) -> _Run:
    search = Search(reader, text, parse_query(text))
    matches = search.find()
    return _Run(
        product=[names[item.pk] for item in search_items(reader, text, DEPTH).items],
        all_words=[names[pk] for pk in matches.ids[: matches.with_all]],
        any_word=[names[pk] for pk in search.find_partial()],
    )


def _document_bags(names: Mapping[int, str]) -> dict[str, Counter[str]]:
    """The stems of each document, read from the index."""
    if connection.vendor == "postgresql":
        statement = (
            "SELECT f.item_id, w.lexeme, cardinality(w.positions)"
            " FROM feeds_search f, unnest(f.vector) w"
        )
    else:
        statement = _counts_in("feeds_search")
    bags: dict[str, Counter[str]] = {name: Counter() for name in names.values()}
    for pk, term, often in _rows(statement):
        bags[names[pk]][term] += often
    return bags


def _bags(texts: Sequence[str]) -> list[Counter[str]]:
    """The stems of queries, by the same analyser as the documents."""
    if connection.vendor == "postgresql":
        statement = (
            "SELECT q.number, w.lexeme, 1 FROM unnest(CAST(%s AS text[])) WITH ORDINALITY"
            " AS q(text, number),"
            " unnest(to_tsvector('feeds_english', feeds_search_words(q.text))) w"
        )
        rows = _rows(statement, [list(texts)])
    else:
        rows = _bags_of_sqlite(texts)
    bags = [Counter[str]() for _ in texts]
    for number, term, _ in rows:
        bags[number - 1][term] = 1
    return bags


def _bags_of_sqlite(texts: Sequence[str]) -> list[tuple[int, str, int]]:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE VIRTUAL TABLE evaluated USING fts5(text, tokenize='{TOKENIZER}')")
        cursor.executemany("INSERT INTO evaluated (text) VALUES (%s)", [(text,) for text in texts])
    return _rows(_counts_in("evaluated"))


def _counts_in(table: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE VIRTUAL TABLE {table}_terms USING fts5vocab('{table}', 'instance')")
    return f"SELECT doc, term, count(*) FROM {table}_terms GROUP BY doc, term"


def _rows(statement: str, parameters: Sequence[list[str]] = ()) -> list[tuple[int, str, int]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [*cursor.fetchall()]
