# ruff: noqa: S608 - all of the SQL is our own, values are parameters
"""A query in PostgreSQL's language, in all languages of the items, and how rare its words are."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from feeds.search.query.conditions import VISIBLE_SOURCES
from feeds.search.query.parser import Group, Query
from feeds.search.query.rarity import estimated, rarity
from feeds.search.query.types import Sample

_INIT_PLAN = re.compile(r"InitPlan (\d+)")
_SEPARATORS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Texts of tsqueries: all of the query's words, each group that is meant, those of them
    that must be found, and what is not wanted. What a language leaves out of its texts is ""."""

    all_words: str
    groups: dict[str, "Weight"]
    quoted: tuple[str, ...]
    unwanted: str

    @property
    def without(self) -> str:
        return f" & !({self.unwanted})" if self.unwanted else ""


@dataclass(frozen=True, slots=True)
class Weight:
    """How much a word tells (its inverse document frequency, as BM25 has it), and in about how
    many items it is."""

    rarity: float = 1.0
    items: float = 0.0


def read_query(cursor: Any, query: Query, languages: Sequence[str]) -> Wanted:
    """In `languages`: those of all items would give away the languages of others' private ones.
    Where nothing but stop words is wanted, as titles are read."""
    asked = [*query.content_groups, *([query.excluded] if query.excluded else [])]
    if not asked:
        return Wanted("", {}, (), "")
    readings, titles = _in_all_languages(cursor, asked, languages)
    meant = len(query.content_groups)
    rows = readings if any(any(row[:meant]) for row in readings) else titles
    groups = [any_of(row[number] for row in rows) for number in range(meant)]
    return Wanted(
        all_words=_bracketed(any_of(_all_of(row[:meant]) for row in rows)),
        groups={text: Weight() for text in groups if text},
        quoted=tuple(
            text
            for group, text in zip(query.content_groups, groups, strict=True)
            if text and group in query.quoted
        ),
        unwanted=any_of(row[-1] for row in readings) if query.excluded else "",
    )


def weigh(cursor: Any, texts: Iterable[str], user_id: int, sample: Sample) -> dict[str, Weight]:
    """By the items that the reader may see: the planner's statistics are of all."""

    def count(words: Sequence[str], lowest: int) -> dict[str, int]:
        counted = (
            f"(SELECT count(*) FROM feeds_search f WHERE f.vector @@ CAST(%s AS tsquery)"
            f" AND f.source_id IN {VISIBLE_SOURCES} AND f.item_id >= {lowest})"
        )
        values = [value for word in words for value in (word, user_id)]
        cursor.execute(f"SELECT {', '.join([counted] * len(words))}", values)
        return dict(zip(words, cursor.fetchone(), strict=True))

    items = estimated(list(texts), sample, count)
    return {text: Weight(rarity(items[text], sample.total), items[text]) for text in items}


def estimates(cursor: Any, table: str, texts: Sequence[str]) -> dict[str, float]:
    """About how many rows each matches, as the planner guesses by its statistics."""
    # Each as a plan of its own, with its number: of arms of a union some may be left out.
    parts = [f"(SELECT 1 FROM {table} WHERE vector @@ CAST(%s AS tsquery))"] * len(texts)
    cursor.execute(f"EXPLAIN (FORMAT JSON) SELECT {', '.join(parts)}", list(texts))
    plan = cursor.fetchone()[0]
    plan = json.loads(plan) if isinstance(plan, str) else plan
    rows = {}
    for part in plan[0]["Plan"]["Plans"]:
        if found := _INIT_PLAN.match(part.get("Subplan Name", "")):
            rows[int(found[1])] = float(part["Plan Rows"])
    return {text: rows[number] for number, text in enumerate(texts, 1)}


def any_of(texts: Iterable[str]) -> str:
    """Each once, joined by OR."""
    return " | ".join(_bracketed(text) for text in dict.fromkeys(texts) if text)


def _all_of(texts: Iterable[str]) -> str:
    return " & ".join(_bracketed(text) for text in texts if text)


def _bracketed(text: str) -> str:
    return f"({text})" if text else ""


def _in_all_languages(
    cursor: Any, groups: Sequence[Group], languages: Sequence[str]
) -> tuple[list[Sequence[str]], list[Sequence[str]]]:
    """A row for each language, with a text for each group: as texts and as titles are read."""
    columns, values = [], []
    for language in ("reading", "titles"):
        for group in groups:
            sql, texts = _of(language, group)
            columns.append(f"CAST({sql} AS text)")
            values += texts
    cursor.execute(
        f"SELECT {', '.join(columns)} FROM (SELECT CAST('feeds_' || name AS regconfig) AS reading,"
        " CAST('feeds_' || name || '_title' AS regconfig) AS titles"
        " FROM (SELECT DISTINCT feeds_search_stemmer(language) AS name"
        " FROM unnest(CAST(%s AS text[])) language) known ORDER BY name) stemmers",
        [*values, list(languages)],
    )
    rows = cursor.fetchall()
    return [row[: len(groups)] for row in rows], [row[len(groups) :] for row in rows]


def _of(language: str, group: Group) -> tuple[str, list[str]]:
    """(SQL of a tsquery that wants any term of `group`; its parameters)."""
    terms, values = [], []
    for term in group:
        if term.is_prefix:
            tokens = [f"'{token}'" for token in _SEPARATORS.split(term.text) if token]
            terms.append(f"to_tsquery({language}, %s)")
            values.append(" <-> ".join(tokens) + ":*")
        else:
            terms.append(f"phraseto_tsquery({language}, feeds_search_words(%s))")
            values.append(term.text)
    return f"({' || '.join(terms)})", values
