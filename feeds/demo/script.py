"""Reads the hand-written scripts in data/*.txt: which outlet tells what, and when.

    == event-key | 4.2           an event that breaks 4.2 days before the start
    == *                         from here on, each telling is a story of its own
    @ outlet +3.5                a telling, 3.5 hours after the event broke
    @ outlet 12                  …12 days before the start
    @ outlet live                …held back, to appear while the newsroom runs
    @ outlet                     …on a day chosen by the seed
    ~ +2                         a correction of the telling above, 2 hours after it (or live)
    = outlet +1                  a verbatim copy of the telling above at another outlet

After such a line come the headline and, below it, the text: one paragraph a line.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data"
MARKS = ("@ ", "~ ", "= ", "== ")


@dataclass(slots=True)
class Revision:
    """What a telling says from `when` on."""

    when: str
    title: str = ""
    paragraphs: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Telling:
    """One outlet's account. `event` is empty for a story that nobody else tells.

    `broke` is days before the start; the revisions are in the order of time.
    """

    outlet: str
    event: str
    broke: float | None
    revisions: list[Revision]


@cache
def read_script() -> tuple[Telling, ...]:
    """All tellings of all data files, in the order of the files."""
    lines = (line for path in sorted(DATA.glob("*.txt")) for line in _lines(path))
    return tuple(_tellings(lines))


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _tellings(lines: Iterable[str]) -> Iterator[Telling]:
    event, broke, telling = "", None, None
    for line in filter(str.strip, lines):
        mark, _, rest = line.partition(" ") if line.startswith(MARKS) else ("", "", line)
        if mark == "":
            if telling is not None:
                _add_line(telling.revisions[-1], rest.strip())
        elif mark == "~" and telling is not None:
            telling.revisions.append(Revision(rest.strip()))
        else:
            if telling is not None and mark != "=":
                yield telling
            if mark == "==":
                event, broke = _event(rest)
                telling = None
            elif mark == "@":
                outlet, _, when = rest.strip().partition(" ")
                telling = Telling(outlet, event, broke, [Revision(when)])
            elif telling is not None:
                yield _copy(telling, rest)
    if telling is not None:
        yield telling


def _event(rest: str) -> tuple[str, float | None]:
    key, _, days = (part.strip() for part in rest.partition("|"))
    return ("", None) if key == "*" else (key, float(days))


def _add_line(revision: Revision, line: str) -> None:
    if revision.title:
        revision.paragraphs.append(line)
    else:
        revision.title = line


def _copy(telling: Telling, rest: str) -> Telling:
    outlet, _, when = rest.strip().partition(" ")
    return replace(telling, outlet=outlet, revisions=[replace(telling.revisions[0], when=when)])
