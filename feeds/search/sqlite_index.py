# ruff: noqa: S608 - all of the SQL is our own
"""The full-text index on SQLite (FTS5), kept in step by triggers.

The index holds no copy of the texts: it reads them through a view. The body's row is
written last, so an item is indexed once. Django remakes a table to alter it and loses
its triggers; `ensure_index` is therefore called after every migrate.
"""

from typing import Any

from feeds.search.query import Query, Term

TITLE_WEIGHT = 5.0
_INDEX = """
CREATE VIRTUAL TABLE IF NOT EXISTS feeds_search USING fts5(
    title, text, content='feeds_search_content', content_rowid='id',
    tokenize='porter unicode61 remove_diacritics 2'
)
"""
_VIEW = """
CREATE VIEW IF NOT EXISTS feeds_search_content AS
    SELECT i.id AS id, i.title AS title, b.text AS text
    FROM feeds_item i JOIN feeds_itembody b ON b.item_id = i.id
"""
_DELETE = "INSERT INTO feeds_search (feeds_search, rowid, title, text)"
_INSERT = "INSERT INTO feeds_search (rowid, title, text)"
_TRIGGERS = {
    "feeds_search_insert": f"""
        AFTER INSERT ON feeds_itembody BEGIN
            {_INSERT} SELECT new.item_id, title, new.text FROM feeds_item WHERE id = new.item_id;
        END""",
    "feeds_search_delete": f"""
        BEFORE DELETE ON feeds_itembody BEGIN
            {_DELETE} SELECT 'delete', old.item_id, title, old.text
                FROM feeds_item WHERE id = old.item_id;
        END""",
    "feeds_search_text": f"""
        AFTER UPDATE OF text ON feeds_itembody WHEN old.text <> new.text BEGIN
            {_DELETE} SELECT 'delete', old.item_id, title, old.text
                FROM feeds_item WHERE id = old.item_id;
            {_INSERT} SELECT new.item_id, title, new.text FROM feeds_item WHERE id = new.item_id;
        END""",
    "feeds_search_title": f"""
        AFTER UPDATE OF title ON feeds_item WHEN old.title <> new.title BEGIN
            {_DELETE} SELECT 'delete', old.id, old.title, text
                FROM feeds_itembody WHERE item_id = old.id;
            {_INSERT} SELECT new.id, new.title, text FROM feeds_itembody WHERE item_id = new.id;
        END""",
}


def ensure_index(connection: Any) -> bool:
    """Make what is missing of the index; True when it had to be built from the items."""
    if connection.vendor != "sqlite":
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM sqlite_master WHERE name LIKE 'feeds\\_search%%' ESCAPE '\\'"
        )
        there = {row[0] for row in cursor.fetchall()}
        missing = {"feeds_search", "feeds_search_content", *_TRIGGERS} - there
        if not missing:
            return False
        cursor.execute(_VIEW)
        cursor.execute(_INDEX)
        for name, body in _TRIGGERS.items():
            cursor.execute(f"CREATE TRIGGER IF NOT EXISTS {name} {body}")
        cursor.execute("INSERT INTO feeds_search (feeds_search) VALUES ('rebuild')")
    return True


def drop_index(connection: Any) -> None:
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        for name in _TRIGGERS:
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
        cursor.execute("DROP TABLE IF EXISTS feeds_search")
        cursor.execute("DROP VIEW IF EXISTS feeds_search_content")


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
