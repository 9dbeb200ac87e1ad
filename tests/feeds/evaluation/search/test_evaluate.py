"""Measuring the search against a judged collection, in a database of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from feeds.evaluation.search.collection import read_collection

CRANFIELD = Path(__file__).resolve().parents[4].parent / "shared" / "eval" / "cranfield"
DOCUMENTS = """\
.I 1
.T
wings in a slipstream
.A
a. author
.W
the lift of a wing rises in a slipstream
.I 7
.T
heat in slabs
.W
conduction of heat
in composite slabs
.I 9
.T
wings without heat
.W
flow over wings
"""
QUERIES = ".I 004\n.W\nwhat is the lift of\na wing ?\n.I 010\n.W\nheat conduction in slabs\n"
JUDGEMENTS = "1 0 1 4\n1 0 9 1\n1 0 7 5\n2 0 7 3\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.all.3").write_text(DOCUMENTS)
    (tmp_path / "small.qry").write_text(QUERIES)
    (tmp_path / "qrels.trec").write_text(JUDGEMENTS)
    return tmp_path


def evaluate(folder: Path, data: Path) -> tuple[int, str]:
    """In a process of its own, as an operator does, on the database of these tests' kind."""
    environment = os.environ | {"DATA": str(data), "LOG_LEVEL": "WARNING"}
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        environment["DATABASE_URL"] = ""
    done = subprocess.run(
        [sys.executable, "manage.py", "evaluate", "search", str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    return done.returncode, done.stdout + done.stderr


def values(printed: str) -> dict[str, float]:
    pairs = [line.split() for line in printed.splitlines()]
    return {pair[0]: float(pair[1]) for pair in pairs if len(pair) == 2}


def test_a_collection_is_read_with_queries_in_their_order(folder: Path) -> None:
    collection = read_collection(folder)

    assert [(one.name, one.title) for one in collection.documents] == [
        ("1", "wings in a slipstream"),
        ("7", "heat in slabs"),
        ("9", "wings without heat"),
    ]
    assert collection.documents[1].text == "conduction of heat in composite slabs"
    assert collection.queries == {
        "1": "what is the lift of a wing ?",
        "2": "heat conduction in slabs",
    }
    assert collection.judgements["1"] == {"1": 4, "9": 1, "7": 5}


def test_a_collection_in_beir_s_form_is_read_too(tmp_path: Path) -> None:
    documents = [{"_id": "d1", "title": "Wings", "text": "lift"}, {"_id": "d2", "text": "heat"}]
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, documents)))
    (tmp_path / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": "lift?"}))
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\td1\t2\n")

    collection = read_collection(tmp_path)

    assert [one.title for one in collection.documents] == ["Wings", ""]
    assert (collection.queries, collection.judgements) == ({"q": "lift?"}, {"q": {"d1": 2}})


def test_the_command_prints_what_the_search_is_worth(folder: Path, tmp_path: Path) -> None:
    code, printed = evaluate(folder, tmp_path / "data")

    assert code == 0, printed
    found = values(printed)
    assert (found["documents"], found["queries"]) == (3, 2)
    assert found["search_ndcg10"] == found["search_mrr"] == found["search_recall50"] == 1.0
    assert found["search_bm25_ndcg10"] == 1.0
    assert 0 < found["search_all_words_ndcg10"] < 1


@pytest.mark.parametrize("gone", ["small.all.3", "small.qry", "qrels.trec"])
def test_what_is_missing_is_said(folder: Path, tmp_path: Path, gone: str) -> None:
    (folder / gone).unlink()

    code, printed = evaluate(folder, tmp_path / "data")

    assert code == 1
    assert "cannot be read: no file matches" in printed and "Traceback" not in printed


@pytest.mark.skipif(not CRANFIELD.exists(), reason="the collection is not there")
@pytest.mark.slow
def test_the_search_is_at_least_as_good_as_bm25(tmp_path: Path) -> None:
    _, printed = evaluate(CRANFIELD, tmp_path / "data")

    found = values(printed)
    assert found["search_ndcg10"] >= found["search_bm25_ndcg10"] >= 0.35
    assert found["search_raw_grades_ndcg10"] >= 0.53
