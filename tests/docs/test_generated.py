"""The generated parts of the documentation are those that the code gives now."""

from pathlib import Path

import pytest

from tests.docs.blocks import (
    BLOCKS,
    ROOT,
    documents,
    our_commands,
    own_actions,
    parser_of,
    regenerated,
)

DOCUMENTS = documents()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_generated_parts_are_up_to_date(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert regenerated(text) == text, "run `make docs`"


def test_each_part_is_generated_somewhere() -> None:
    everything = "".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)

    assert [name for name in BLOCKS if f"<!-- generated: {name} -->" not in everything] == []


def test_a_part_that_is_out_of_date_is_found() -> None:
    stale = "<!-- generated: ranking_terms -->\n| heat | 7 |\n<!-- end -->"

    assert regenerated(stale) != stale


@pytest.mark.parametrize("name", our_commands())
def test_every_command_and_argument_has_a_help_text(name: str) -> None:
    parser = parser_of(name)
    arguments = [
        action
        for each in [parser, *_subparsers(name)]
        for action in own_actions(each)
        if not isinstance(action.choices, dict)
    ]

    assert parser.description
    assert [action.dest for action in arguments if not action.help] == []


def _subparsers(name: str) -> list:  # type: ignore[type-arg]
    choices = [action.choices for action in own_actions(parser_of(name))]
    return [inner for each in choices if isinstance(each, dict) for inner in each.values()]
