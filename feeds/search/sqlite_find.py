"""Ask the index of SQLite (FTS5)."""

from collections.abc import Sequence

from accounts.database import reading_connection
from feeds.search.conditions import Conditions
from feeds.search.query import Query, Term
from feeds.search.types import CANDIDATES, END, START, Match

WEIGHTS = "5.0, 2.0, 1.0"
"""Of title, summary and text in the ranking."""
SNIPPET_WORDS = 32


class Finder:
    """Looks for one query."""

    def __init__(self, query: Query) -> None:
        self.query = query
        self.expression = match_expression(query)

    def find(self, conditions: Conditions) -> list[Match]:
        """The newest matches; a lower score is better. Without words, the newest items."""
        if self.expression:
            table = "feeds_search f CROSS JOIN feeds_item i ON i.id = f.rowid"
            score, order = f"bm25(feeds_search, {WEIGHTS})", "f.rowid"
            conditions.add("feeds_search MATCH %s", self.expression)
        else:
            table, score, order = "feeds_item i", "0", "i.id"
            if self.query.excluded:
                unwanted = "SELECT rowid FROM feeds_search WHERE feeds_search MATCH %s"
                conditions.add(f"i.id NOT IN ({unwanted})", excluded_expression(self.query))
        statement = (
            f"SELECT i.id, {score} FROM {table} WHERE {conditions.sql}"  # noqa: S608 - no input
            f" ORDER BY {order} DESC LIMIT {CANDIDATES}"
        )
        with reading_connection().cursor() as cursor:
            cursor.execute(statement, conditions.parameters)
            return [Match(*row) for row in cursor.fetchall()]

    def mark(self, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
        """{id: (title, snippet)} between START and END; the snippet is of the summary where
        the text has no match."""
        if not ids or not self.expression:
            return {}
        snippet = f"snippet(feeds_search, {{}}, %s, %s, '…', {SNIPPET_WORDS})"
        statement = (
            "SELECT rowid, highlight(feeds_search, 0, %s, %s),"  # noqa: S608 - no input
            f" {snippet.format(2)}, {snippet.format(1)} FROM feeds_search"
            f" WHERE feeds_search MATCH %s AND rowid IN ({', '.join(['%s'] * len(ids))})"
        )
        with reading_connection().cursor() as cursor:
            cursor.execute(statement, [*(START, END) * 3, self.expression, *ids])
            return {
                pk: (title, summary if START in summary and START not in text else text)
                for pk, title, text, summary in cursor.fetchall()
            }


def match_expression(query: Query) -> str:
    """The query in FTS5's own language; "" when it has no words to look for."""
    found = " AND ".join(
        "(" + " OR ".join(_quoted(term) for term in group) + ")" for group in query.groups
    )
    if not found or not query.excluded:
        return found
    return f"({found}) NOT ({excluded_expression(query)})"


def excluded_expression(query: Query) -> str:
    return " OR ".join(_quoted(term) for term in query.excluded)


def _quoted(term: Term) -> str:
    """Quoted, nothing in it is an operator of FTS5."""
    text = term.text.rstrip("*") if term.is_prefix else term.text
    quoted = '"' + text.replace('"', '""') + '"'
    return quoted + ("*" if term.is_prefix else "")
