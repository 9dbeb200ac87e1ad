# ruff: noqa: S608 - all of the SQL is our own
"""Creates the full-text index on SQLite (FTS5), which triggers keep up to date.

The index has no copy of the texts, but reads them through a view. An item's body is written last,
so the item is indexed once. Django alters a table by recreating it, and SQLite refuses that while a
view or a trigger of another table reads it. So `detach_index` runs before a migration, and
`ensure_index` after it.
"""

from typing import Any

from feeds.coordination.revisions import CONTENT, bump_revision_if_used

TOKENIZER = "porter unicode61 remove_diacritics 2"
_INDEX = (
    "CREATE VIRTUAL TABLE feeds_search USING fts5(title, summary, text,"
    " content='feeds_search_rows', content_rowid='id',"
    f" tokenize='{TOKENIZER}')"
)
_MERGE = "INSERT INTO feeds_search (feeds_search, rank) VALUES ('automerge', 8)"
"""Halves how eagerly FTS5 merges. Polls store fifty items at a time, which takes a fifth less time
so."""


def _columns(item: str, body: str) -> str:
    """Return SQL of the indexed columns. A summary that is the beginning of the text is left out,
    as its words would count twice."""
    summary = f"iif(substr({item}.summary, 1, 60) = substr({body}.text, 1, 60), '', {item}.summary)"
    return f"{item}.title AS title, {summary} AS summary, {body}.text AS text"


def _add(item: str, body: str, rows: str) -> str:
    return (
        "INSERT INTO feeds_search (rowid, title, summary, text)"
        f" SELECT {item}.id, {_columns(item, body)} FROM {rows};"
    )


def _remove(item: str, body: str, rows: str) -> str:
    """Return SQL that removes an item. FTS5 needs the texts as they were indexed."""
    return (
        "INSERT INTO feeds_search (feeds_search, rowid, title, summary, text)"
        f" SELECT 'delete', {item}.id, {_columns(item, body)} FROM {rows};"
    )


_OLD_BODY = "feeds_item i WHERE i.id = old.item_id"
_NEW_BODY = "feeds_item i WHERE i.id = new.item_id"
_ITS_BODY = "feeds_itembody b WHERE b.item_id = old.id"
_VIEW = (
    f"CREATE VIEW feeds_search_rows AS SELECT i.id AS id, {_columns('i', 'b')}"
    " FROM feeds_item i JOIN feeds_itembody b ON b.item_id = i.id"
)
_TRIGGERS = {
    "feeds_search_insert": f"AFTER INSERT ON feeds_itembody"
    f" BEGIN {_add('i', 'new', _NEW_BODY)} END",
    "feeds_search_delete": f"BEFORE DELETE ON feeds_itembody"
    f" BEGIN {_remove('i', 'old', _OLD_BODY)} END",
    "feeds_search_text": "AFTER UPDATE OF text ON feeds_itembody WHEN old.text <> new.text"
    f" BEGIN {_remove('i', 'old', _OLD_BODY)} {_add('i', 'new', _NEW_BODY)} END",
    "feeds_search_item": "AFTER UPDATE OF title, summary ON feeds_item"
    " WHEN old.title <> new.title OR old.summary <> new.summary"
    f" BEGIN {_remove('old', 'b', _ITS_BODY)} {_add('new', 'b', _ITS_BODY)} END",
    "feeds_search_item_delete": f"BEFORE DELETE ON feeds_item"
    f" BEGIN {_remove('old', 'b', _ITS_BODY)} END",
}
_PARTS = {
    "feeds_search_rows": _VIEW,
    "feeds_search": _INDEX,
    **{name: f"CREATE TRIGGER {name} {body}" for name, body in _TRIGGERS.items()},
}


def ensure_index(connection: Any) -> bool:
    """Create the index, and return True if it had to be rebuilt from the items.

    It is rebuilt if any part is missing or differs, as items may have changed without the triggers.
    """
    with connection.cursor() as cursor:
        placeholders = ", ".join(["%s"] * len(_PARTS))
        cursor.execute(
            f"SELECT name, sql FROM sqlite_master WHERE name IN ({placeholders})", list(_PARTS)
        )
        if dict(cursor.fetchall()) == _PARTS:
            return False
    drop_index(connection)
    with connection.cursor() as cursor:
        for statement in _PARTS.values():
            cursor.execute(statement)
        cursor.execute(_MERGE)
        cursor.execute("INSERT INTO feeds_search (feeds_search) VALUES ('rebuild')")
    bump_revision_if_used(CONTENT, connection)
    return True


def detach_index(connection: Any) -> None:
    """Drop the triggers and the view. The index stays, but is no longer updated."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view')"
            " AND substr(name, 1, 13) = 'feeds_search_'"
        )
        for kind, name in cursor.fetchall():
            cursor.execute(f"DROP {kind} {name}")


def drop_index(connection: Any) -> None:
    detach_index(connection)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS feeds_search")
