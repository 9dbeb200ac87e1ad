# ruff: noqa: S608 - all of the SQL is our own, values are parameters
"""Translates queries to tsqueries in the languages of a reader's items, and weighs their words."""

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
class ParsedQuery:
    """The tsqueries of a query, as texts.

    `all_words` requires all content groups, and `groups` has a tsquery for each of them. `quoted`
    are the tsqueries of the groups with a phrase. `excluded` matches the items to exclude. A
    tsquery of stop words alone is "".
    """

    all_words: str
    groups: dict[str, "Weight"]
    quoted: tuple[str, ...]
    excluded: str

    @property
    def without(self) -> str:
        """Text to append to a tsquery, to exclude the excluded items."""
        return f" & !({self.excluded})" if self.excluded else ""


@dataclass(frozen=True, slots=True)
class Weight:
    """The rarity of a word (BM25's inverse document frequency), and the estimated number of items
    that contain it."""

    rarity: float = 1.0
    items: float = 0.0


def read_query(cursor: Any, query: Query, languages: Sequence[str]) -> ParsedQuery:
    """Translate a query for items in `languages`, which are codes.

    The languages of all items would leak those of other readers' private items. A query of stop
    words alone is translated for titles, whose stop words are indexed.
    """
    groups_and_excluded = [*query.content_groups, *([query.excluded] if query.excluded else [])]
    if not groups_and_excluded:
        return ParsedQuery("", {}, (), "")
    as_text, as_title = _in_all_languages(cursor, groups_and_excluded, languages)
    count = len(query.content_groups)
    rows = as_text if any(any(row[:count]) for row in as_text) else as_title
    groups = [any_of(row[number] for row in rows) for number in range(count)]
    return ParsedQuery(
        all_words=_bracketed(any_of(_all_of(row[:count]) for row in rows)),
        groups={text: Weight() for text in groups if text},
        quoted=tuple(
            text
            for group, text in zip(query.content_groups, groups, strict=True)
            if text and group in query.quoted
        ),
        excluded=any_of(row[-1] for row in as_text) if query.excluded else "",
    )


def weigh(cursor: Any, texts: Iterable[str], user_id: int, sample: Sample) -> dict[str, Weight]:
    """Return {tsquery: weight}, from the items that the reader may see. The planner's statistics
    cover all items, and so would leak private ones."""

    def count(words: Sequence[str], lowest: int) -> dict[str, int]:
        subquery = (
            f"(SELECT count(*) FROM feeds_search f WHERE f.vector @@ CAST(%s AS tsquery)"
            f" AND f.source_id IN {VISIBLE_SOURCES} AND f.item_id >= {lowest})"
        )
        values = [value for word in words for value in (word, user_id)]
        cursor.execute(f"SELECT {', '.join([subquery] * len(words))}", values)
        return dict(zip(words, cursor.fetchone(), strict=True))

    items = estimated(list(texts), sample, count)
    return {text: Weight(rarity(items[text], sample.total), items[text]) for text in items}


def estimates(cursor: Any, table: str, texts: Sequence[str]) -> dict[str, float]:
    """Return {tsquery: number of rows of `table` that match}, as the planner estimates it."""
    # Each tsquery gets a numbered plan of its own. A plan for a UNION may omit some of its arms.
    parts = [f"(SELECT 1 FROM {table} WHERE vector @@ CAST(%s AS tsquery))"] * len(texts)
    cursor.execute(f"EXPLAIN (FORMAT JSON) SELECT {', '.join(parts)}", list(texts))
    plan = cursor.fetchone()[0]
    plan = json.loads(plan) if isinstance(plan, str) else plan
    rows = {}
    for part in plan[0]["Plan"]["Plans"]:
        if match := _INIT_PLAN.match(part.get("Subplan Name", "")):
            rows[int(match[1])] = float(part["Plan Rows"])
    return {text: rows[number] for number, text in enumerate(texts, 1)}


def any_of(texts: Iterable[str]) -> str:
    """Join tsqueries by OR, without duplicates and empty ones."""
    return " | ".join(_bracketed(text) for text in dict.fromkeys(texts) if text)


def _all_of(texts: Iterable[str]) -> str:
    return " & ".join(_bracketed(text) for text in texts if text)


def _bracketed(text: str) -> str:
    return f"({text})" if text else ""


def _in_all_languages(
    cursor: Any, groups: Sequence[Group], languages: Sequence[str]
) -> tuple[list[Sequence[str]], list[Sequence[str]]]:
    """Return (rows for texts, rows for titles): a row per language with a tsquery per group."""
    columns, values = [], []
    for language in ("reading", "titles"):
        for group in groups:
            sql, texts = _any_term(language, group)
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


def _any_term(language: str, group: Group) -> tuple[str, list[str]]:
    """Return (SQL of a tsquery that matches any term of `group`, its parameters)."""
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
