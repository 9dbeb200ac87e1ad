# ruff: noqa: S608 - all of the SQL is our own, values are parameters
"""Reads and writes whole tables of both databases, by their drivers rather than by Django."""

import json
import re
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import psycopg
from django.core.management.color import no_style
from django.db import connections
from psycopg import sql

from ainews_site.backup.pooler import refuse_pooler
from ainews_site.transfer.tables import Table

NOTES = "ainews_transfer"
"""The table in the target that records the progress. It is dropped at the end."""
Row = Sequence[Any]


class Side:
    """One of the two databases. The source is only read, in the state of the beginning."""

    vendor: ClassVar[str]
    placeholder: ClassVar[str]
    """The placeholder of a parameter in SQL."""
    connection: Any

    def rows(self, statement: str, *values: object) -> list[Row]:
        return self._execute(statement, values).fetchall()  # type: ignore[no-any-return]

    def run(self, statement: str, *values: object) -> None:
        self._execute(statement, values)

    def _execute(self, statement: str, values: Sequence[object]) -> Any:
        # If psycopg gets values, even an empty list, it takes each % for a placeholder.
        return self.connection.execute(statement, *((values,) if values else ()))

    def commit(self) -> None:
        self.connection.commit()

    def close(self) -> None:
        self.connection.close()

    def has(self, table: str) -> bool:
        raise NotImplementedError

    def columns(self, table: Table) -> str:
        raise NotImplementedError

    def key(self, table: Table) -> str:
        return f'"{table.key}"'

    def count(self, table: Table) -> int:
        return int(self.rows(f'SELECT count(*) FROM "{table.name}"')[0][0])

    def last_key(self, table: Table) -> Any:
        """Return the greatest key, or a value below all keys if the table is empty."""
        key = self.rows(f'SELECT max({self.key(table)}) FROM "{table.name}"')[0][0]
        return key if key is not None else ("" if table.has_text_key else -(1 << 63))

    def chunk(self, table: Table, after: Any, count: int) -> list[Row]:
        """Return up to `count` rows with a key above `after`, ordered by key, as plain values."""
        key = self.key(table)
        return self.rows(
            f'SELECT {self.columns(table)} FROM "{table.name}" WHERE {key} > {self.placeholder}'
            f" ORDER BY {key} LIMIT {count}",
            after,
        )

    def write(self, table: Table, rows: Iterable[Row]) -> None:
        raise NotImplementedError

    def empty(self, table: Table) -> None:
        self.run(f'DELETE FROM "{table.name}"')

    def drop_indexes(self) -> list[str]:
        """Drop indexes and references, which slow down writes.

        Returns the statements that recreate them.
        """
        raise NotImplementedError

    def set_sequences(self) -> None:
        """Set the sequences, so that the next row gets a new id."""

    def version(self) -> int:
        """Return a number that changes when another connection writes; constant on PostgreSQL."""
        return 0

    def dangling_references(self) -> str:
        """Return a sentence on references to missing rows, or ""."""
        return ""

    def write_note(self, name: str, value: Any) -> None:
        if not self.has(NOTES):
            self.run(f"CREATE TABLE {NOTES} (name text PRIMARY KEY, value text NOT NULL)")
        values = f"VALUES ({self.placeholder}, {self.placeholder})"
        self.run(f"DELETE FROM {NOTES} WHERE name = {self.placeholder}", name)
        self.run(f"INSERT INTO {NOTES} {values}", name, json.dumps(value))
        self.commit()

    def read_note(self, name: str) -> Any:
        if not self.has(NOTES):
            self.commit()
            return None
        notes = self.rows(f"SELECT value FROM {NOTES} WHERE name = {self.placeholder}", name)
        self.commit()  # end the read transaction, which could conflict with Django's writes
        return json.loads(notes[0][0]) if notes else None

    def drop_notes(self) -> None:
        self.run(f"DROP TABLE {NOTES}")
        self.commit()


class Sqlite(Side):
    vendor, placeholder = "sqlite", "?"

    def __init__(self, config: dict[str, Any], *, is_source: bool) -> None:
        path = Path(config["NAME"])
        mode = "ro" if is_source else "rwc"
        self.connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode={mode}", uri=True, isolation_level=None
        )
        self.connection.text_factory = _decoded
        if not is_source:
            for setting in ("foreign_keys = OFF", "synchronous = OFF", "cache_size = -64000"):
                self.run(f"PRAGMA {setting}")
        self.run("BEGIN")

    def commit(self) -> None:
        self.run("COMMIT")
        self.run("BEGIN")

    def version(self) -> int:
        return int(self.rows("PRAGMA data_version")[0][0])

    def has(self, table: str) -> bool:
        return bool(self.rows("SELECT 1 FROM sqlite_master WHERE name = ?", table))

    def columns(self, table: Table) -> str:
        return ", ".join(f'"{column}"' for column in table.columns)

    def write(self, table: Table, rows: Iterable[Row]) -> None:
        placeholders = ", ".join("?" * len(table.columns))
        self.connection.executemany(
            f'INSERT INTO "{table.name}" ({self.columns(table)}) VALUES ({placeholders})', rows
        )

    def drop_indexes(self) -> list[str]:
        indexes = self.rows(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        )
        for name, _ in indexes:
            self.run(f'DROP INDEX "{name}"')
        return [definition for _, definition in indexes]

    def dangling_references(self) -> str:
        rows = self.rows("PRAGMA foreign_key_check")
        return f"{len(rows)} rows refer to missing rows, the first in {rows[0]}." if rows else ""


class Postgres(Side):
    vendor, placeholder = "postgresql", "%s"

    def __init__(self, config: dict[str, Any], *, is_source: bool) -> None:
        parameters = {
            "dbname": config["NAME"],
            "user": config.get("USER"),
            "password": config.get("PASSWORD"),
            "host": config.get("HOST"),
            "port": config.get("PORT"),
        } | {k: v for k, v in config.get("OPTIONS", {}).items() if isinstance(v, str)}
        self.connection = psycopg.connect(**{k: v for k, v in parameters.items() if v})
        refuse_pooler(self.connection, "a migration", "--from" if is_source else "--to")
        self.run("SET timezone = 'UTC'")
        if is_source:
            self.commit()
            self.connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            self.connection.read_only = True
        else:
            self.run("SET synchronous_commit = off")
            self.run("SET maintenance_work_mem = '256MB'")
            self.commit()

    def has(self, table: str) -> bool:
        return self.rows("SELECT to_regclass(%s)", table)[0][0] is not None

    def key(self, table: Table) -> str:
        # Order as SQLite does, whatever the collation of the database.
        return f'"{table.key}"' + (' COLLATE "C"' if table.has_text_key else "")

    def columns(self, table: Table) -> str:
        expressions = {
            "time": "regexp_replace(to_char({0}, 'YYYY-MM-DD HH24:MI:SS.US'), '[.]000000$', '')",
            "date": "{0}::text",
            "json": "{0}::text",
            "bool": "{0}::int",
            "plain": "{0}",
        }
        columns = zip(table.columns, table.kinds, strict=True)
        return ", ".join(expressions[kind].format(f'"{column}"') for column, kind in columns)

    def write(self, table: Table, rows: Iterable[Row]) -> None:
        names = ", ".join(f'"{column}"' for column in table.columns)
        with (
            self.connection.cursor() as cursor,
            cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN') as copy,
        ):
            copy.write("".join([_line(row) for row in rows]))

    def empty(self, table: Table) -> None:
        self.run(f'TRUNCATE "{table.name}"')

    def drop_indexes(self) -> list[str]:
        remake: list[str] = []
        # References are dropped first, because they need the unique indexes of the other tables.
        for table, name, definition in self.rows(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(c.oid)"
            " FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid"
            " WHERE contype = 'f' AND conparentid = 0"
            " AND t.relnamespace = current_schema()::regnamespace"
        ):
            self.run(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
            remake.append(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
        for index, definition, table, constraint, means in self.rows(
            "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid),"
            " i.indrelid::regclass::text, c.conname, pg_get_constraintdef(c.oid)"
            " FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid"
            " LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype = 'u'"
            " WHERE NOT i.indisprimary AND t.relkind IN ('r', 'p') AND NOT t.relispartition"
            " AND t.relnamespace = current_schema()::regnamespace AND t.relname <> 'feeds_search'"
        ):
            if constraint:
                self.run(f'ALTER TABLE {table} DROP CONSTRAINT "{constraint}"')
                remake.insert(0, f'ALTER TABLE {table} ADD CONSTRAINT "{constraint}" {means}')
            else:
                self.run(f"DROP INDEX {index}")
                remake.insert(0, definition.replace(" ON ONLY ", " ON ", 1))
        return remake

    def set_sequences(self) -> None:
        from django.apps import apps

        for statement in connections["default"].ops.sequence_reset_sql(
            no_style(), list(apps.get_models(include_auto_created=True))
        ):
            self.connection.execute(sql.SQL(statement))
        self.commit()


def _decoded(raw: bytes) -> str:
    """Decode text without NUL and invalid UTF-8, which PostgreSQL cannot store."""
    return raw.decode("utf-8", "replace").replace("\0", "")


_SPECIAL = re.compile(r"[\\\t\n\r]")
_ESCAPED = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


def _line(row: Row) -> str:
    """Return a row in the text format of COPY."""
    return "\t".join([_text(value) for value in row]) + "\n"


def _text(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return _SPECIAL.sub(_escape, value) if _SPECIAL.search(value) else value
    if isinstance(value, bytes):
        return "\\\\x" + value.hex()
    return str(value)


def _escape(match: re.Match[str]) -> str:
    return _ESCAPED[match[0]]


def open_side(config: dict[str, Any], *, is_source: bool) -> Sqlite | Postgres:
    is_file = config["ENGINE"].endswith("sqlite3")
    return (Sqlite if is_file else Postgres)(config, is_source=is_source)
