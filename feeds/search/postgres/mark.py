"""Marks the matches in titles and snippets on PostgreSQL."""

from collections.abc import Sequence
from typing import Any

from feeds.search.query.types import END, START

SNIPPET = "MaxWords=32, MinWords=16, ShortWord=0"
LONGEST = 20_000
"""Number of characters of a text from which a snippet is taken."""


def mark(cursor: Any, expression: str, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Return {id: (title, snippet)} with START and END around each match.

    `expression` is a tsquery. The snippet is from the text, or from the summary if only that has a
    match.
    """
    marks = f'StartSel="{START}", StopSel="{END}"'
    whole, part = f"{marks}, HighlightAll=true", f"{marks}, {SNIPPET}"
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
        [whole, part, part, LONGEST, expression, list(ids), list(ids)],
    )
    return {
        pk: (title, summary if START in summary and START not in snippet else _elide(snippet, text))
        for pk, title, summary, snippet, text in cursor.fetchall()
    }


def _elide(snippet: str, text: str) -> str:
    """Add an ellipsis at each end where the text continues."""
    plain = snippet.replace(START, "").replace(END, "")
    before = "" if text.startswith(plain) else "…"
    after = "" if text.endswith(plain) else "…"
    return f"{before}{snippet}{after}"
