# ruff: noqa: S608 - the SQL is built from names of tables and columns, values are parameters
"""Reads some columns of rows by their ids, at a fifth of the cost of a queryset.

Django compiles a query anew each time and converts each column of each row. A list of a hundred
rows with their sources costs it five CPU ms.
"""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Any, TypeVar

from django.db import models

from ainews_site.infra.db_router import reading_alias, reading_connection
from feeds.core.ids import id_time
from feeds.models.item import Item
from feeds.models.source import Source
from feeds.models.story import Story

Row = TypeVar("Row", bound=models.Model)
AT_ONCE = 10_000
"""Ids that one query reads. SQLite limits the parameters of a query."""

ITEM_COLUMNS = (
    *("id", "seq", "source_id", "story_id", "copy_of", "url", "title", "author", "summary"),
    *("image_url", "language", "topics", "published_at", "fetched_at", "updated_at"),
)
"""All that pages and the API show of an item."""
SOURCE_COLUMNS = ("id", "url", "title", "site_url", "language", "is_public")
"""All that lists show of the source of an item."""


def narrow_rows(model: type[Row], names: Sequence[str], ids: Iterable[int]) -> dict[int, Row]:
    """Return {id: row} of these ids with the attributes `names`, among which is "id".

    The other fields are deferred: using one makes a query.
    """
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return {}
    names = in_order(model, names)
    is_wanted, values = among("id", wanted)
    query = f"SELECT {', '.join(names)} FROM {model._meta.db_table} WHERE {is_wanted}"
    rows = fetch(query, values)
    make = row_maker(model, names)
    return {row[0]: make(row) for row in rows}


def narrow_items(
    names: Sequence[str],
    source_names: Sequence[str],
    ids: Iterable[int],
    story_names: Sequence[str] = (),
) -> dict[int, Item]:
    """Return {id: item} with these attributes, and those of its source and story.

    Items of a source are given the same one, and so are items of a story.
    """
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return {}
    names, source_names = in_order(Item, names), in_order(Source, source_names)
    story_names = in_order(Story, story_names)
    parts = (("i", names), ("c", source_names), ("s", story_names))
    columns = ", ".join(f"{table}.{name}" for table, part in parts for name in part)
    rows = fetch_by_id(
        f"SELECT {columns} FROM feeds_item i JOIN feeds_source c ON c.id = i.source_id"
        + (" LEFT JOIN feeds_story s ON s.id = i.story_id" if story_names else "")
        + " WHERE {}",
        "i.id",
        wanted,
    )
    return items_of(rows, names, source_names, story_names)


def items_of(
    rows: Collection[Sequence[Any]],
    names: Sequence[str],
    source_names: Sequence[str],
    story_names: Sequence[str] = (),
) -> dict[int, Item]:
    """Return {id: item} of rows with these columns, first the item's, then its source's and its
    story's. The names are in the order of `in_order`."""
    make, first, last = row_maker(Item, names), len(names), len(names) + len(source_names)
    items = {row[0]: make(row[:first]) for row in rows}
    sources = _related(Source, source_names, (row[first:last] for row in rows))
    stories = _related(Story, story_names, (row[last:] for row in rows))
    for item in items.values():
        item.source = sources[item.source_id]
        if story := stories.get(item.story_id or 0):
            item.story = story
    return items


def in_order(model: type[models.Model], names: Collection[str]) -> list[str]:
    """The names in the order of the model's fields, which `from_db` expects."""
    return [field.attname for field in model._meta.concrete_fields if field.attname in names]


def _related(
    model: type[Row], names: Sequence[str], rows: Iterable[Sequence[Any]]
) -> dict[int, Row]:
    make = row_maker(model, names)
    return {pk: make(row) for pk, row in {row[0]: row for row in rows if row and row[0]}.items()}


def row_maker(model: type[Row], names: Sequence[str]) -> Callable[[Sequence[Any]], Row]:
    """Return a function that makes a row of its values."""
    alias = reading_alias()
    converters = [
        (place, _CONVERTERS[kind])
        for place, name in enumerate(names)
        if (kind := model._meta.get_field(name).get_internal_type()) in _CONVERTERS
    ]

    def make(row: Sequence[Any]) -> Row:
        values = list(row)
        for place, convert in converters:
            values[place] = convert(values[place])
        return model.from_db(alias, names, values)

    return make


def fetch(query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    with reading_connection().cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall()  # type: ignore[no-any-return]


def fetch_by_id(query: str, column: str, ids: Iterable[int]) -> list[tuple[Any, ...]]:
    """Fetch rows by time-ordered ids. Their condition replaces the "{}" of the query.

    PostgreSQL searches each partition between the first and the last id for all of the ids, and it
    plans for that. With one SELECT for each month it searches a partition only for its own ids,
    which costs a tenth for a thousand ids of two years.
    """
    rows: list[tuple[Any, ...]] = []
    ordered = sorted(ids)
    is_partitioned = reading_connection().vendor == "postgresql"
    for start in range(0, len(ordered), AT_ONCE):
        part = ordered[start : start + AT_ONCE]
        months = [list(own) for _, own in groupby(part, _month)] if is_partitioned else [part]
        conditions = [among(column, month) for month in months]
        selects = " UNION ALL ".join(query.format(condition) for condition, _ in conditions)
        rows += fetch(selects, [value for _, values in conditions for value in values])
    return rows


def _month(pk: int) -> tuple[int, int]:
    at = id_time(pk)
    return at.year, at.month


def among(column: str, ids: Collection[int]) -> tuple[str, list[Any]]:
    """Return the condition that `column` is one of `ids`, and its parameters.

    PostgreSQL is passed one array, because psycopg takes a while for each parameter.
    """
    if reading_connection().vendor == "postgresql":
        return f"{column} = ANY(%s)", [[*ids]]
    return f"{column} IN ({marks(ids)})", [*ids]


def json_rows(columns: Sequence[str], source: str) -> str:
    """Return a column with all rows of the query `source` as JSON: a list of lists of `columns`.

    Several small queries so become one, which costs the database and psycopg less than half.
    """
    collect, row = _JSON[reading_connection().vendor]
    return f"(SELECT {collect}({row}({', '.join(columns)})) FROM ({source}) AS read)"


def stored_json(column: str) -> str:
    """Return a column that has JSON as an expression for `json_rows`. SQLite stores it as text."""
    return column if reading_connection().vendor == "postgresql" else f"json({column})"


def marks(values: Collection[object]) -> str:
    """Placeholders for `values`."""
    return ", ".join(["%s"] * len(values))


def moment(value: Any) -> Any:
    """Return a time as Django's fields do. SQLite has naive times in UTC, which are text if they
    come from an expression."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


def day(value: Any) -> Any:
    """Return a date as Django's fields do. SQLite returns text if it comes from an expression."""
    return date.fromisoformat(value) if isinstance(value, str) else value


def stored(value: datetime) -> Any:
    """Return a time as the parameter of a query."""
    return reading_connection().ops.adapt_datetimefield_value(value)


def loaded(value: Any) -> Any:
    """psycopg and SQLite return JSON as text."""
    return json.loads(value) if isinstance(value, str) else value


_JSON = {
    "postgresql": ("json_agg", "json_build_array"),
    "sqlite": ("json_group_array", "json_array"),
}
"""The functions that collect rows as JSON, and that make one."""
_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "DateField": day,
    "DateTimeField": moment,
    "JSONField": loaded,
    "BooleanField": bool,
}
"""What Django's fields do to values of the database. Other values are what they seem."""
