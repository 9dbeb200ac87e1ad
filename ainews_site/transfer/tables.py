"""The tables to migrate, and fingerprints of their rows.

Both databases return plain values, which are as SQLite stores them: times as text in UTC, booleans
as 0 or 1, JSON as text.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from django.apps import apps

LARGE = ("feeds_story", "feeds_itemkey", "feeds_item", "feeds_itembody", "feeds_itemstate")
"""Large tables are copied last, so that problems of the small ones show early."""
_KINDS = {"DateTimeField": "time", "DateField": "date", "JSONField": "json", "BooleanField": "bool"}
_WHOLE = 1 << 128


@dataclass(frozen=True, slots=True)
class Table:
    """A table to migrate.

    `key` is the column of the primary key. `kinds` has "time", "date", "json", "bool" or "plain"
    for each column.
    """

    name: str
    key: str
    columns: tuple[str, ...]
    kinds: tuple[str, ...]

    @property
    def key_at(self) -> int:
        return self.columns.index(self.key)

    @property
    def has_text_key(self) -> bool:
        return self.name in _TEXT_KEYS


_TEXT_KEYS = {"django_session", "django_q_task", "feeds_lease", "feeds_revision"}


def tables() -> list[Table]:
    """Return all tables of models. The record of migrations is not copied."""
    by_name: dict[str, Table] = {}
    for model in apps.get_models(include_auto_created=True):
        meta = model._meta
        if not meta.managed or meta.proxy or meta.pk is None:
            continue
        fields = meta.concrete_fields
        by_name[meta.db_table] = Table(
            meta.db_table,
            str(meta.pk.column),
            tuple(str(field.column) for field in fields),
            tuple(_KINDS.get(field.get_internal_type(), "plain") for field in fields),
        )
    return sorted(by_name.values(), key=_place)


def _place(table: Table) -> tuple[int, str]:
    return (LARGE.index(table.name) + 1 if table.name in LARGE else 0), table.name


def fingerprint(table: Table, rows: Sequence[Sequence[Any]]) -> int:
    """Return a hash of rows that does not depend on their order.

    The hash of a table is the sum of those of its parts, modulo 2**128.
    """
    documents = [n for n, kind in enumerate(table.kinds) if kind == "json"]
    total = 0
    for row in rows:
        if documents:
            row = list(row)
            for n in documents:
                if row[n] is not None:
                    # The databases write numbers, spaces and keys of a document differently.
                    row[n] = json.dumps(json.loads(row[n], parse_int=float), sort_keys=True)
        encoded = repr(tuple(row)).encode("utf-8", "surrogatepass")
        total += int.from_bytes(blake2b(encoded, digest_size=16).digest())
    return total % _WHOLE
