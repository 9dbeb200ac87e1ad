# ruff: noqa: S608 - all of the SQL is our own, values are parameters
"""Ask the index of PostgreSQL: partition by partition from the newest, until enough is found."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from accounts.database import reading_connection
from feeds import partitions
from feeds.partitions import Span
from feeds.search.conditions import HIGHEST, Conditions
from feeds.search.query import Query, Term
from feeds.search.types import CANDIDATES, END, START, Match

WEIGHTS = "{0.1, 0.2, 0.4, 1.0}"
"""Of nothing, text, summary and title in the ranking."""
BY_LENGTH = 1
"""Of ts_rank: a match in a long text counts less, by the logarithm of its length."""
COMMON = 1 / 30
"""Of a partition's items: what is in more of them is found sooner by going back in time than
by gathering all of its matches. (Measured: a bitmap's match costs 1 µs, a step back 4 µs.)"""
SNIPPET = "MaxWords=32, MinWords=16, ShortWord=0"
LONGEST = 20_000
"""Characters of a text in which a snippet is looked for."""
_SEPARATORS = re.compile(r"[\W_]+")


class Finder:
    """Looks for one query."""

    def __init__(self, query: Query) -> None:
        self.query = query
        self._wanted: str | None = None

    def find(self, conditions: Conditions) -> list[Match]:
        """The newest matches; a lower score is better. Without words, the newest items."""
        with reading_connection().cursor() as cursor:
            self._wanted, unwanted = _expressions(cursor, self.query)
            if self._wanted:
                expression = f"({self._wanted}) & !({unwanted})" if unwanted else self._wanted
                return _search(cursor, expression, conditions)
            if self.query.groups:
                return []
            if unwanted:
                conditions.add(
                    "NOT EXISTS (SELECT 1 FROM feeds_search f WHERE f.item_id = i.id"
                    " AND f.vector @@ CAST(%s AS tsquery))",
                    unwanted,
                )
            return _newest(cursor, conditions)

    def mark(self, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
        """{id: (title, snippet)} between START and END; the snippet is of the summary where
        the text has no match."""
        if not ids:
            return {}
        marks = f'StartSel="{START}", StopSel="{END}"'
        whole, part = f"{marks}, HighlightAll=true", f"{marks}, {SNIPPET}"
        with reading_connection().cursor() as cursor:
            if self._wanted is None:  # what was found was remembered
                self._wanted, _ = _expressions(cursor, self.query)
            if not self._wanted:
                return {}
            cursor.execute(
                "SELECT id, ts_headline(titles, title, wanted, %s),"
                " ts_headline(reading, summary, wanted, %s),"
                " ts_headline(reading, text, wanted, %s), text FROM ("
                "SELECT i.id, i.title, i.summary, left(b.text, %s) AS text,"
                " CAST(%s AS tsquery) AS wanted,"
                " CAST('feeds_' || feeds_search_stemmer(i.language) AS regconfig) AS reading,"
                " CAST('feeds_' || feeds_search_stemmer(i.language) || '_title' AS regconfig)"
                " AS titles FROM feeds_item i JOIN feeds_itembody b ON b.item_id = i.id"
                " WHERE i.id = ANY(%s) AND b.item_id = ANY(%s)) found",
                [whole, part, part, LONGEST, self._wanted, list(ids), list(ids)],
            )
            return {
                pk: (
                    title,
                    summary if START in summary and START not in text else _cut(text, whole),
                )
                for pk, title, summary, text, whole in cursor.fetchall()
            }


def _newest(cursor: Any, conditions: Conditions) -> list[Match]:
    cursor.execute(
        f"SELECT i.id, 0 FROM feeds_item i WHERE {conditions.sql}"
        f" ORDER BY i.id DESC LIMIT {CANDIDATES}",
        conditions.parameters,
    )
    return [Match(*row) for row in cursor.fetchall()]


def _search(cursor: Any, expression: str, conditions: Conditions) -> list[Match]:
    """One arm a partition, the newest first: PostgreSQL begins one when those before it have
    not filled the list. An arm gathers its matches from GIN, as `+ 0` keeps it from walking
    back by the primary key, unless they are common."""
    spans = partitions.known_spans(cursor)
    is_common = not conditions.is_of_few_sources and _is_common(cursor, expression, spans)
    order = "i.id" if is_common else "i.id + 0"
    arms, parameters = [], []
    for low, high in _ranges(spans, conditions):
        arms.append(
            f"(SELECT i.id, i.vector FROM {_rows(conditions, low, high)} i"
            f" WHERE i.vector @@ CAST(%s AS tsquery) AND {conditions.sql}"
            f" ORDER BY {order} DESC LIMIT {CANDIDATES})"
        )
        parameters += [expression, *conditions.parameters]
    if not arms:
        return []
    cursor.execute(
        f"SELECT id, -ts_rank('{WEIGHTS}', vector, CAST(%s AS tsquery), {BY_LENGTH})"
        f" FROM ({' UNION ALL '.join(arms)} LIMIT {CANDIDATES}) found",
        [expression, *parameters],
    )
    return [Match(*row) for row in cursor.fetchall()]


def _ranges(spans: Sequence[Span], conditions: Conditions) -> list[tuple[int, int]]:
    """Ranges of ids that begin with the partitions, the newest first; nothing is between."""
    lows = [span.low for span in reversed(spans)]
    return [
        (max(low, conditions.lowest), min(high, conditions.highest))
        for low, high in zip([*lows, 0], [HIGHEST, *lows], strict=True)
        if low < conditions.highest and high > conditions.lowest
    ]


def _rows(conditions: Conditions, low: int, high: int) -> str:
    """Rows of the index within a range, with the columns of the item that are asked for."""
    within = f"f.item_id >= {low} AND f.item_id < {high}"
    if not (conditions.columns or conditions.is_of_few_sources):
        return f"(SELECT item_id AS id, source_id, vector FROM feeds_search f WHERE {within})"
    columns = "".join(f", o.{name}" for name in sorted(conditions.columns))
    return (
        f"(SELECT o.id, o.source_id, f.vector{columns} FROM feeds_search f"
        f" JOIN feeds_item o ON o.id = f.item_id WHERE {within}"
        f" AND o.id >= {low} AND o.id < {high})"
    )


def _is_common(cursor: Any, expression: str, spans: Sequence[Span]) -> bool:
    """What the planner's statistics say of the newest partition that has some."""
    for span in reversed(spans):
        if span.rows >= CANDIDATES:
            cursor.execute(
                f"EXPLAIN (FORMAT JSON) SELECT 1 FROM {span.table('feeds_search')}"
                " WHERE vector @@ CAST(%s AS tsquery)",
                [expression],
            )
            plan = cursor.fetchone()[0]
            plan = json.loads(plan) if isinstance(plan, str) else plan
            return bool(plan[0]["Plan"]["Plan Rows"] > span.rows * COMMON)
    return False


def _expressions(cursor: Any, query: Query) -> tuple[str, str]:
    """(wanted, unwanted) as text of a tsquery, in all languages of the items. Where nothing
    but stop words is wanted, as titles are read."""
    unwanted = [query.excluded] if query.excluded else []
    if not query.groups and not unwanted:
        return "", ""
    columns, values = [], []
    for language, groups in (
        ("reading", query.groups),
        ("titles", query.groups),
        ("reading", unwanted),
    ):
        sql, texts = _all_of(language, groups)
        columns.append(f"CAST({sql} AS text)")
        values += texts
    cursor.execute(
        f"SELECT {', '.join(columns)} FROM (SELECT CAST('feeds_' || name AS regconfig) AS reading,"
        " CAST('feeds_' || name || '_title' AS regconfig) AS titles"
        " FROM feeds_search_stemmers ORDER BY name) stemmers",
        values,
    )
    wanted, in_titles, not_wanted = [*map(_any_of, zip(*cursor.fetchall(), strict=True))] or [
        ""
    ] * 3
    return wanted or in_titles, not_wanted


def _any_of(expressions: Iterable[str]) -> str:
    """Each once, joined by OR."""
    return " | ".join(f"({text})" for text in dict.fromkeys(expressions) if text)


def _all_of(language: str, groups: Iterable[Sequence[Term]]) -> tuple[str, list[str]]:
    """(SQL of a tsquery that wants all of `groups`, of each any term; its parameters)."""
    wanted, values = ["CAST('' AS tsquery)"], []
    for group in groups:
        terms = []
        for term in group:
            if term.is_prefix:
                tokens = [f"'{token}'" for token in _SEPARATORS.split(term.text) if token]
                terms.append(f"to_tsquery({language}, %s)")
                values.append(" <-> ".join(tokens) + ":*")
            else:
                terms.append(f"phraseto_tsquery({language}, feeds_search_words(%s))")
                values.append(term.text)
        wanted.append(f"({' || '.join(terms)})")
    return " && ".join(wanted), values


def _cut(snippet: str, whole: str) -> str:
    """With an ellipsis where the text goes on."""
    plain = snippet.replace(START, "").replace(END, "")
    before = "" if whole.startswith(plain) else "…"
    after = "" if whole.endswith(plain) else "…"
    return f"{before}{snippet}{after}"
