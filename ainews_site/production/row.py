"""A row of the checklist, and what its check finds. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    NOT_DONE = "not done"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`remedy` is what to do next, "" if there is nothing to do."""

    state: State
    sentence: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """`proof` is the command that proves the row, here or elsewhere."""

    name: str
    title: str
    check: Callable[[], Outcome]
    proof: str


def ok(sentence: str) -> Outcome:
    return Outcome(State.OK, sentence)


def warning(sentence: str, remedy: str) -> Outcome:
    return Outcome(State.WARNING, sentence, remedy)


def not_done(sentence: str, remedy: str) -> Outcome:
    return Outcome(State.NOT_DONE, sentence, remedy)
