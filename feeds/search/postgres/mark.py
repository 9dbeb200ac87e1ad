"""Mark what was found in titles and snippets, on PostgreSQL."""

from collections.abc import Sequence
from typing import Any

from feeds.search.query.types import END, START

SNIPPET = "MaxWords=32, MinWords=16, ShortWord=0"
LONGEST = 20_000
"""Characters of a text in which a snippet is looked for."""


def mark(cursor: Any, expression: str, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """{id: (title, snippet)} between START and END; the snippet is of the summary where
    the text has no match."""
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
        pk: (title, summary if START in summary and START not in text else _cut(text, whole))
        for pk, title, summary, text, whole in cursor.fetchall()
    }


def _cut(snippet: str, whole: str) -> str:
    """With an ellipsis where the text goes on."""
    plain = snippet.replace(START, "").replace(END, "")
    before = "" if whole.startswith(plain) else "…"
    after = "" if whole.endswith(plain) else "…"
    return f"{before}{snippet}{after}"
