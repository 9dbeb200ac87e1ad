# ruff: noqa: S608 - all of the SQL is our own, values are parameters
"""Mark what was found in titles and snippets, on SQLite.

A small index of a page's items is made in memory and asked: the large one would look for each
item in the whole list of each word (110 ms for four common words in 500,000 items, this 10).
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing

from ainews_site.infra.db_router import reading_connection
from feeds.search.query.types import END, START
from feeds.search.sqlite.index import TOKENIZER

WORDS = 32
LONGEST = 20_000
"""Characters of a text in which a snippet is looked for."""


def mark(expression: str, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """{id: (title, snippet)} between START and END; the snippet is of the summary where
    the text has no match."""
    with reading_connection().cursor() as cursor:
        cursor.execute(
            f"SELECT id, title, summary, substr(text, 1, {LONGEST}) FROM feeds_search_rows"
            f" WHERE id IN ({', '.join(['%s'] * len(ids))})",
            list(ids),
        )
        rows = cursor.fetchall()
    snippet = f"snippet(page, {{}}, ?1, ?2, '…', {WORDS})"
    with closing(sqlite3.connect(":memory:")) as memory:
        memory.execute(
            f"CREATE VIRTUAL TABLE page USING fts5(title, summary, text, tokenize='{TOKENIZER}')"
        )
        memory.executemany(
            "INSERT INTO page (rowid, title, summary, text) VALUES (?, ?, ?, ?)", rows
        )
        found = memory.execute(
            "SELECT rowid, highlight(page, 0, ?1, ?2),"
            f" {snippet.format(2)}, {snippet.format(1)} FROM page WHERE page MATCH ?3",
            (START, END, expression),
        ).fetchall()
    return {
        pk: (title, summary if START in summary and START not in text else text)
        for pk, title, text, summary in found
    }
