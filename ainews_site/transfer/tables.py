"""Which tables move, and how their values are written alike on both sides.

A plain value is what SQLite stores: times as text in UTC, truth as 0 or 1, JSON as text.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from django.apps import apps

LARGE = ("feeds_story", "feeds_itemkey", "feeds_item", "feeds_itembody", "feeds_itemstate")
"""These come last, so that what is wrong with the small ones shows early."""
_KINDS = {"DateTimeField": "time", "DateField": "date", "JSONField": "json", "BooleanField": "bool"}
_WHOLE = 1 << 128


@dataclass(frozen=True, slots=True)
class Table:
    """`key` is the primary key; `kinds` says of each column "time", "date", "json", "bool" or
    "plain"."""

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
    """All tables of the models; those of Django's own migrations belong to each database."""
    found: dict[str, Table] = {}
    for model in apps.get_models(include_auto_created=True):
        meta = model._meta
        if not meta.managed or meta.proxy or meta.pk is None:
            continue
        fields = meta.concrete_fields
        found[meta.db_table] = Table(
            meta.db_table,
            str(meta.pk.column),
            tuple(str(field.column) for field in fields),
            tuple(_KINDS.get(field.get_internal_type(), "plain") for field in fields),
        )
    return sorted(found.values(), key=_place)


def _place(table: Table) -> tuple[int, str]:
    return (LARGE.index(table.name) + 1 if table.name in LARGE else 0), table.name


def fingerprint(table: Table, rows: Sequence[Sequence[Any]]) -> int:
    """A number for what rows hold, whatever their order: those of the parts of a table add up."""
    documents = [n for n, kind in enumerate(table.kinds) if kind == "json"]
    total = 0
    for row in rows:
        if documents:
            row = list(row)
            for n in documents:
                if row[n] is not None:
                    # The databases write numbers, spaces and keys of a document differently.
                    row[n] = json.dumps(json.loads(row[n], parse_int=float), sort_keys=True)
        written = repr(tuple(row)).encode("utf-8", "surrogatepass")
        total += int.from_bytes(blake2b(written, digest_size=16).digest())
    return total % _WHOLE
