"""The walk-throughs of CONTRIBUTING.md are short and name files that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_LINES = 15
SECTIONS = dict(
    section.split("\n", 1)
    for section in re.split(r"^## ", (ROOT / "CONTRIBUTING.md").read_text(), flags=re.M)[1:]
)
WALKS = {title: text for title, text in SECTIONS.items() if title.startswith("A new ")}


def test_there_is_one_for_each_thing_that_is_registered() -> None:
    things = {"delivery channel", "ranking term", "API resource", "address rule", "kind of feed"}
    assert {f"A new {thing}" for thing in things} <= set(WALKS)


@pytest.mark.parametrize("title", WALKS)
def test_it_is_short_and_names_real_files(title: str) -> None:
    lines = [line for line in WALKS[title].splitlines() if line.strip()]
    paths = [
        path
        for path in re.findall(r"`([\w./*-]+/[\w./*-]+\.\w+)`", WALKS[title])
        if "<" not in path
    ]

    assert len(lines) <= MOST_LINES
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
