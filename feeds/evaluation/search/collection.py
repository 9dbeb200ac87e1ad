"""Read a test collection of documents, queries and judgements, in the format of Cranfield or BEIR.

Cranfield: `*.all*` and `*.qry` with the fields `.I`, `.T` and `.W`, and `*.trec` with the columns
query, 0, document, grade. Queries are numbered by their order. BEIR: `corpus.jsonl`,
`queries.jsonl`, and `qrels/test.tsv` or `qrels*.tsv` with a header. Pure.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BEST_GRADE = 4
"""Grades above this or below 0 mean "not relevant": Cranfield has 5 for -1."""
_FIELD = re.compile(r"\.([A-Z])\s*(.*)")


@dataclass(frozen=True, slots=True)
class Document:
    name: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Collection:
    """A test collection. `queries` is {name: text}, `judgements` is {query: {document: grade}}."""

    documents: list[Document]
    queries: dict[str, str]
    judgements: dict[str, dict[str, int]]


def read_collection(folder: Path) -> Collection:
    """Read the collection in `folder`. Raises OSError, or ValueError if something is missing."""
    if (folder / "corpus.jsonl").exists():
        return _read_beir(folder)
    documents = [
        Document(number, fields.get("T", ""), fields.get("W", ""))
        for number, fields in _records(_only(folder, "*.all*"))
    ]
    queries = {
        str(order): fields.get("W") or fields.get("T", "")
        for order, (_, fields) in enumerate(_records(_only(folder, "*.qry")), 1)
    }
    return _checked(documents, queries, _only(folder, "*.trec"))


def _read_beir(folder: Path) -> Collection:
    documents = [
        Document(str(row["_id"]), row.get("title") or "", row.get("text") or "")
        for row in _json_lines(folder / "corpus.jsonl")
    ]
    queries = {str(row["_id"]): row["text"] for row in _json_lines(folder / "queries.jsonl")}
    named = folder / "qrels" / "test.tsv"
    return _checked(documents, queries, named if named.exists() else _only(folder, "qrels*.tsv"))


def _checked(documents: list[Document], queries: dict[str, str], qrels: Path) -> Collection:
    judgements = _judgements(qrels)
    if not documents or not queries or not judgements.keys() & queries.keys():
        raise ValueError("it lacks documents, queries or judgements")
    return Collection(documents, queries, judgements)


def _judgements(path: Path) -> dict[str, dict[str, int]]:
    """Parse lines whose first column is the query and whose last two are document and grade."""
    judgements: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        parts = line.split()
        if len(parts) >= 3 and parts[-1].lstrip("-").isdigit():
            judgements[parts[0]][parts[-2]] = int(parts[-1])
    return dict(judgements)


def _records(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield (number, {letter of a field: its text on one line}) of each record."""
    number, letter = "", ""
    fields: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        head = _FIELD.fullmatch(line.rstrip())
        if head and head[1] == "I":
            if number:
                yield number, fields
            number, fields, letter = head[2].strip(), {}, ""
        elif head and not head[2]:
            letter = head[1]
        elif letter:
            fields[letter] = f"{fields.get(letter, '')} {' '.join(line.split())}".strip()
    if number:
        yield number, fields


def _json_lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def _only(folder: Path, pattern: str) -> Path:
    paths = sorted(folder.glob(pattern))
    if not paths:
        raise ValueError(f"no file matches {pattern}")
    return paths[0]
