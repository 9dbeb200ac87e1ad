"""Writes a query from the fields of a form, and fills the form from a query. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from feeds.search.query.parser import TOKEN, Group, Query, Term


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of the form. `words` also has what the others have no place for, such as a second
    phrase or source. `state` is unread, read, saved or empty. Dates are text."""

    words: str = ""
    phrase: str = ""
    exclude: str = ""
    source: str = ""
    folder: str = ""
    topic: str = ""
    state: str = ""
    after: str = ""
    before: str = ""


def text_of(fields: Fields) -> str:
    """Return the query that these fields stand for."""
    parts = [_closed(fields.words)]
    if phrase := _plain(fields.phrase):
        parts.append(f'"{phrase}"')
    parts += _excluded(_closed(fields.exclude))
    values = (
        ("source", fields.source),
        ("folder", fields.folder),
        ("topic", fields.topic),
        ("is", fields.state),
        ("after", fields.after),
        ("before", fields.before),
    )
    parts += [f"{name}:{_quoted(value)}" for name, value in values if _plain(value)]
    return " ".join(part for part in parts if part)


def fields_of(query: Query) -> Fields:
    """Return the fields for a query. `text_of` writes an equal query from them."""
    phrase = next((group for group in query.groups if len(group) == 1 and group[0].is_quoted), ())
    states = sorted(query.states, key=("unread", "read", "saved").index)
    others = [
        *(_group_text(group) for group in query.groups if group != phrase),
        *(f"source:{_quoted(name)}" for name in query.sources[1:]),
        *(f"folder:{_quoted(name)}" for name in query.folders[1:]),
        *(f"topic:{_quoted(name)}" for name in query.topics[1:]),
        *(f"is:{state}" for state in states[1:]),
    ]
    return Fields(
        words=" ".join(others),
        phrase=phrase[0].text if phrase else "",
        exclude=" ".join(map(_excluded_text, query.excluded)),
        source=_first(query.sources),
        folder=_first(query.folders),
        topic=_first(query.topics),
        state=_first(states),
        after=query.after.date().isoformat() if query.after else "",
        before=query.before.date().isoformat() if query.before else "",
    )


def _closed(text: str) -> str:
    """Return the text with its last phrase closed, so that it does not swallow what follows."""
    text = text.strip()
    return text + '"' if text.count('"') % 2 else text


def _plain(text: str) -> str:
    return " ".join(text.replace('"', " ").split())


def _quoted(text: str) -> str:
    plain = _plain(text)
    return f'"{plain}"' if " " in plain else plain


def _excluded(text: str) -> Iterator[str]:
    for match in TOKEN.finditer(text):
        yield "-" + match[0].removeprefix("-")


def _group_text(group: Group) -> str:
    return " OR ".join(map(_term_text, group))


def _term_text(term: Term) -> str:
    """Return the term as it was typed. A space in a word stands for the colon of an unknown
    operator."""
    return f'"{term.text}"' if term.is_quoted else term.text.replace(" ", ":", 1)


def _excluded_text(term: Term) -> str:
    """Return the term as `_excluded` reads it, which takes a minus as its own."""
    text = _term_text(term)
    return f"-{text}" if text.startswith("-") else text


def _first(values: Sequence[str]) -> str:
    return values[0] if values else ""
