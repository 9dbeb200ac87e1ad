"""Read a test collection: documents, queries and judgements, in Cranfield's format or BEIR's. Pure.

Cranfield's: `*.all*` and `*.qry` with `.I`, `.T`, `.W`, `*.trec` with query, 0, document, grade,
where queries are numbered by their order. BEIR's: `corpus.jsonl`, `queries.jsonl` and a
`qrels*.tsv` (also in `qrels/test.tsv`) with a heading.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BEST_GRADE = 4
"""A grade above it, or below 0, says "not relevant": Cranfield's 5 stands for -1."""
_FIELD = re.compile(r"\.([A-Z])\s*(.*)")


@dataclass(frozen=True, slots=True)
class Document:
    name: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Collection:
    """`judgements` are {name of a query: {name of a document: grade}}."""

    documents: list[Document]
    queries: dict[str, str]
    judgements: dict[str, dict[str, int]]


def read_collection(folder: Path) -> Collection:
    """Raises OSError, or ValueError in words where something is missing."""
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
    """Lines of query, document and grade, the document before the last; a heading is skipped."""
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        parts = line.split()
        if len(parts) >= 3 and parts[-1].lstrip("-").isdigit():
            found[parts[0]][parts[-2]] = int(parts[-1])
    return dict(found)


def _records(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """(number, {field's letter: text on one line}) of each `.I`."""
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
    found = sorted(folder.glob(pattern))
    if not found:
        raise ValueError(f"no file matches {pattern}")
    return found[0]
