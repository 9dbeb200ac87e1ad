"""Every link of the documentation leads somewhere: files, headings and anchors exist."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.blocks import ROOT, documents

_FENCE = re.compile(r"^(?:```.*?^```|(?: {4}|\t)[^\n]*)$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_ANCHOR = re.compile(r'<a id="([^"]+)">')
LINKS = [
    (path, target)
    for path in documents()
    for target in _LINK.findall(_FENCE.sub("", path.read_text(encoding="utf-8")))
]


@pytest.mark.parametrize(
    ("path", "target"), LINKS, ids=[f"{p.relative_to(ROOT)}->{target}" for p, target in LINKS]
)
def test_a_link_leads_somewhere(path: Path, target: str) -> None:
    if re.match(r"https?://|mailto:", target):
        return  # tests do not leave this machine
    name, _, anchor = unquote(target).partition("#")
    goal = (path.parent / name).resolve() if name else path

    assert goal.is_relative_to(ROOT) and goal.exists(), f"{target} does not exist"
    if anchor:
        assert goal.suffix == ".md"
        assert anchor in anchors(goal), f"{goal.name} has no heading #{anchor}"


@cache
def anchors(path: Path) -> set[str]:
    """The names that GitHub gives to the headings of a document, and those written into it."""
    text = path.read_text(encoding="utf-8")
    found: set[str] = set(_ANCHOR.findall(text))
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        number = 0
        while (name := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(name)
    return found


def test_there_are_links_to_follow() -> None:
    assert len(LINKS) > 50


def test_every_document_is_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        path = waiting.pop()
        if path in reached:
            continue
        reached.add(path)
        for source, target in LINKS:
            goal = (source.parent / target.partition("#")[0]).resolve()
            if source == path and goal.is_dir():
                waiting += goal.glob("*.md")
            elif source == path and goal.suffix == ".md" and goal.exists():
                waiting.append(goal)

    assert [str(path.relative_to(ROOT)) for path in documents() if path not in reached] == []
