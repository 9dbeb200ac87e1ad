"""Parses search queries: words, "phrases", -excluded words, OR, and operators. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cached_property
from itertools import chain

from feeds.search.query.function_words import without_function_words

OPERATORS = ("source", "folder", "topic", "before", "after", "is")
STATES = ("unread", "read", "saved")
LONGEST = 500
"""Maximum length of a query in characters."""
MOST_TERMS = 30
TOKEN = re.compile(
    r'(?P<minus>-)?(?:(?P<name>[A-Za-z]+):)?(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))'
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Term:
    """A word or the words of a phrase. For `word*`, `is_prefix` is set and `text` has the star."""

    text: str
    is_prefix: bool = False
    is_quoted: bool = False


Group = tuple[Term, ...]
"""Alternatives that OR joins."""


@dataclass(frozen=True)
class Query:
    """A parsed query.

    An item matches best if it contains all `groups`. Groups with a phrase are required. No match
    contains a term of `excluded`. `before` and `after` are aware datetimes: the item is older than
    `before`, and not older than `after`. `problems` are sentences for the reader about parts that
    could not be parsed.
    """

    groups: tuple[Group, ...] = ()
    excluded: tuple[Term, ...] = ()
    sources: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    before: datetime | None = None
    after: datetime | None = None
    states: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        filters = (self.sources, self.folders, self.topics, self.before, self.after, self.states)
        return not (self.groups or self.excluded or any(filters))

    @cached_property
    def content_groups(self) -> tuple[Group, ...]:
        """The groups without those that are a single function word."""
        words = set(without_function_words(g[0].text for g in self.groups if _is_word(g)))
        return tuple(g for g in self.groups if not _is_word(g) or g[0].text in words)

    @cached_property
    def quoted(self) -> tuple[Group, ...]:
        """The groups with a phrase. Each match contains all of them."""
        return tuple(group for group in self.groups if any(term.is_quoted for term in group))

    @cached_property
    def optional(self) -> tuple[Group, ...]:
        """The content groups that a match may lack."""
        return tuple(group for group in self.content_groups if group not in self.quoted)


def parse_query(text: str) -> Query:
    """Parse a query. Never fails: `problems` of the query list what could not be parsed."""
    parser = _Parser()
    if len(text) > LONGEST:
        parser.problems.append(f"Only the first {LONGEST} characters were used.")
    for match in TOKEN.finditer(_CONTROL.sub(" ", text[:LONGEST])):
        parser.add(match)
    return parser.query()


class _Parser:
    def __init__(self) -> None:
        self.groups: list[list[Term]] = []
        self.excluded: list[Term] = []
        self.values: dict[str, list[str]] = {"source": [], "folder": [], "topic": []}
        self.before: datetime | None = None
        self.after: datetime | None = None
        self.states: set[str] = set()
        self.problems: list[str] = []
        self._joins = False

    def add(self, match: re.Match[str]) -> None:
        name, is_phrase = match["name"], match["phrase"] is not None
        value = match["phrase"] if is_phrase else match["word"]
        if name:
            operator = name.lower()
            if operator in OPERATORS:
                self._add_operator(operator, value, bool(match["minus"]))
                return
            self._report_unknown(operator)
            value = f"{name} {value}"
        elif value == "OR" and not is_phrase:
            self._joins = bool(self.groups)
            return
        for term in _terms(value, is_phrase, bool(name)):
            self._add_term(term, bool(match["minus"]))

    def _add_term(self, term: Term, is_excluded: bool) -> None:
        if term in (self.excluded if is_excluded else chain(*self.groups)):
            pass  # a repeated term
        elif sum(map(len, self.groups)) + len(self.excluded) == MOST_TERMS:
            self.problems.append(f"Only the first {MOST_TERMS} words were used.")
        elif is_excluded:
            self.excluded.append(term)
        elif self._joins:
            self.groups[-1].append(term)
        else:
            self.groups.append([term])
        self._joins = False

    def _add_operator(self, name: str, value: str, is_excluded: bool) -> None:
        if is_excluded:
            self.problems.append(f"-{name}: can't be excluded and was ignored.")
        elif not value:
            self.problems.append(f"{name}: needs a value, such as {_EXAMPLES[name]}.")
        elif name in self.values:
            self.values[name].append(value)
        elif name == "is":
            self._add_state(value.lower())
        else:
            self._set_date(name, value)

    def _add_state(self, value: str) -> None:
        if value in STATES:
            self.states.add(value)
            return
        close = get_close_matches(value, STATES, 1)
        hint = f"did you mean is:{close[0]}?" if close else "use is:unread, is:read or is:saved."
        self.problems.append(f"is:{value[:40]} is unknown; {hint}")

    def _set_date(self, name: str, value: str) -> None:
        moment = _read_date(value)
        if moment is None:
            problem = f"{name}:{value[:40]} is not a date; write it like {name}:2026-03-01."
            self.problems.append(problem)
        elif name == "before":
            self.before = moment
        else:
            self.after = moment

    def _report_unknown(self, name: str) -> None:
        if close := get_close_matches(name, OPERATORS, 1, 0.7):
            problem = f"{name}: is unknown; did you mean {close[0]}:? Searched as words."
            self.problems.append(problem)

    def query(self) -> Query:
        return Query(
            groups=tuple(tuple(group) for group in self.groups),
            excluded=tuple(self.excluded),
            sources=tuple(self.values["source"]),
            folders=tuple(self.values["folder"]),
            topics=tuple(self.values["topic"]),
            before=self.before,
            after=self.after,
            states=frozenset(self.states),
            problems=tuple(dict.fromkeys(self.problems)),
        )


def _is_word(group: Group) -> bool:
    return len(group) == 1 and not (group[0].is_quoted or group[0].is_prefix)


_EXAMPLES = {
    "source": "source:openai",
    "folder": 'folder:"Labs"',
    "topic": "topic:agents",
    "before": "before:2026-03-01",
    "after": "after:2026-02-01",
    "is": "is:unread",
}


def _terms(value: str, is_phrase: bool, is_named: bool) -> list[Term]:
    """Return the term of a phrase or word, or nothing if it has no letter and no digit."""
    if not any(character.isalnum() for character in value):
        return []
    is_prefix = not (is_phrase or is_named) and value.endswith("*") and len(value) > 2
    return [Term(value, is_prefix, is_phrase)]


def _read_date(value: str) -> datetime | None:
    """Return the start of a day, month or year in UTC, or None if it is none from 1970 to 2099."""
    for form in ("%Y-%m-%d", "%Y-%m", "%Y"):
        try:
            moment = datetime.strptime(value, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        return moment if 1970 <= moment.year < 2100 else None
    return None
