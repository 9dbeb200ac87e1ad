"""Reads the hand-written scripts in data/*.txt: the articles of each outlet, and when they appear.

    == event-key | 4.2           an event that breaks 4.2 days before the start
    == *                         from here on, each article is a story of its own
    @ outlet +3.5                an article, 3.5 hours after the event broke
    @ outlet 12                  …12 days before the start
    @ outlet live                …which appears while the newsroom runs
    @ outlet                     …on a day chosen by the seed
    ~ +2                         a correction of the article above, 2 hours after it (or live)
    = outlet +1                  a verbatim copy of the article above at another outlet

The headline follows in the next line, and below it the text, with a paragraph in each line.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data"
MARKS = ("@ ", "~ ", "= ", "== ")


@dataclass(slots=True)
class Revision:
    """The headline and text of an article from `when` on, which is written as above."""

    when: str
    title: str = ""
    paragraphs: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ScriptedArticle:
    """An article of the script.

    `event` is the key of its event, or empty if no other outlet covers the story. `broke` is the
    number of days before the start at which the event broke. `revisions` are in the order of time.
    """

    outlet: str
    event: str
    broke: float | None
    revisions: list[Revision]


@cache
def read_script() -> tuple[ScriptedArticle, ...]:
    """Return the articles of all data files, in the order of the files."""
    lines = (line for path in sorted(DATA.glob("*.txt")) for line in _lines(path))
    return tuple(_scripted_articles(lines))


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _scripted_articles(lines: Iterable[str]) -> Iterator[ScriptedArticle]:
    event, broke, article = "", None, None
    for line in filter(str.strip, lines):
        mark, _, rest = line.partition(" ") if line.startswith(MARKS) else ("", "", line)
        if mark == "":
            if article is not None:
                _add_line(article.revisions[-1], rest.strip())
        elif mark == "~" and article is not None:
            article.revisions.append(Revision(rest.strip()))
        else:
            if article is not None and mark != "=":
                yield article
            if mark == "==":
                event, broke = _event(rest)
                article = None
            elif mark == "@":
                outlet, _, when = rest.strip().partition(" ")
                article = ScriptedArticle(outlet, event, broke, [Revision(when)])
            elif article is not None:
                yield _copy(article, rest)
    if article is not None:
        yield article


def _event(rest: str) -> tuple[str, float | None]:
    key, _, days = (part.strip() for part in rest.partition("|"))
    return ("", None) if key == "*" else (key, float(days))


def _add_line(revision: Revision, line: str) -> None:
    if revision.title:
        revision.paragraphs.append(line)
    else:
        revision.title = line


def _copy(article: ScriptedArticle, rest: str) -> ScriptedArticle:
    outlet, _, when = rest.strip().partition(" ")
    return replace(article, outlet=outlet, revisions=[replace(article.revisions[0], when=when)])
