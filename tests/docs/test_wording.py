"""Pages, messages and documents use the words of the glossary, in British spelling."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
AVOIDED = (
    # terms of earlier releases
    r"tellings?|in hand|intake|renumber\w*|surety|odd one",
    # sentences that sounded translated
    r"take it back|whoever|of its own news|is no address",
    # American spelling, and e-mail without its hyphen
    r"behaviors?|colors?|catalogs?|favorites?|canceled|labeled|centers?|emails?",
)
PATTERN = re.compile(rf"\b(?:{'|'.join(AVOIDED)})\b", re.IGNORECASE)
DOCUMENTS = ("README.md", "SECURITY.md", "CONTRIBUTING.md", ".env.example", "docs")
CODE = ("accounts", "ainews_site", "digests", "feeds")
SKIPPED = re.compile(r"/migrations/|/data/|/grouping/tokenizer|/core/topics|/trends/stop|/html/")


def test_pages_use_the_words_of_the_glossary() -> None:
    for path in filter(Path.is_file, _files("templates", "deploy/errors")):
        text = re.sub(r"<style.*?</style>|style=\"[^\"]*\"|\{[%#].*?[%#]\}", " ", path.read_text())
        text = re.sub(r"(?s)<style.*?</style>|<meta[^>]*>|<[^>]*>", _attributes, text)
        _check(path, text)


def test_documents_use_the_words_of_the_glossary() -> None:
    for path in _files(*DOCUMENTS):
        if path.suffix not in (".md", ".example") and path.name != ".env.example":
            continue
        text = re.sub(r"(?s)```.*?```|`[^`]*`|\]\([^)]*\)|https?://\S+", " ", path.read_text())
        _check(path, text)


def test_messages_use_the_words_of_the_glossary() -> None:
    for path in _files(*CODE):
        if path.suffix == ".py" and not SKIPPED.search(str(path)):
            for message in _messages(ast.parse(path.read_text())):
                _check(path, message)


@pytest.mark.parametrize("text", ["A favorite color.", "It is in hand.", "An email was sent."])
def test_the_pattern_finds_a_word(text: str) -> None:
    assert PATTERN.search(text)


def _check(path: Path, text: str) -> None:
    found = PATTERN.search(text)
    assert found is None, f"{path.relative_to(ROOT)}: {found and found[0]!r}"


def _attributes(tag: re.Match[str]) -> str:
    """Return the words of a tag that people see or hear."""
    return " ".join(re.findall(r'(?:title|aria-label|placeholder|alt)="([^"]*)"', tag[0]))


def _messages(tree: ast.Module) -> Iterator[str]:
    """Sentences: string literals with a capital letter, a space and a full stop."""
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if re.match(r"[A-Z].* .*[.?!]$", text):
                yield text


def _files(*names: str) -> Iterator[Path]:
    for name in names:
        path = ROOT / name
        yield from [path] if path.is_file() else path.rglob("*")
