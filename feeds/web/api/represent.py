"""Lists of objects as their serializers represent them, in a third of the time.

A serializer looks up how to read and convert each field of each object. Here this is looked up
once for each serializer. What is converted, and how, is taken from the serializer's fields, so the
result is the same; tests compare the two.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, tzinfo
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any

from django.utils import timezone
from rest_framework import serializers as fields

_PLAIN: dict[type[Any], Callable[[Any], Any]] = {
    fields.IntegerField: int,
    fields.FloatField: float,
    fields.CharField: str,
    fields.URLField: str,
    fields.BooleanField: bool,
}
"""Conversions of Python values of these exact fields. Others are left to the field."""


def represent(serializer: type[fields.Serializer[Any]], rows: Iterable[Any]) -> list[Any]:
    """Return what `serializer(rows, many=True).data` has."""
    zone = timezone.get_current_timezone()
    plan = [
        (name, read, partial(_in_words, zone) if convert is _in_words else convert)
        for name, read, convert in _plan_of(serializer)
    ]
    represented = []
    for row in rows:
        values = {}
        for name, read, convert in plan:
            value = read(row)
            values[name] = None if value is None else convert(value)
        represented.append(values)
    return represented


@lru_cache
def _plan_of(
    serializer: type[fields.Serializer[Any]],
) -> list[tuple[str, Callable[[Any], Any], Callable[..., Any]]]:
    """[(name, function that reads the value, function that converts it)]

    `_in_words` also needs the time zone of the request.
    """
    return [
        (name, attrgetter(".".join(field.source_attrs)), _converter(field))
        for name, field in serializer().fields.items()
        if not field.write_only
    ]


def _converter(field: Any) -> Callable[..., Any]:
    if plain := _PLAIN.get(type(field)):
        return plain
    if type(field) is fields.DateTimeField:
        return _in_words
    if type(field) is fields.ListField and type(field.child) is fields.CharField:
        return _texts
    if isinstance(field, fields.ListSerializer):
        child: Any = field.child
        return lambda rows: represent(type(child), rows)
    convert: Callable[[Any], Any] = field.to_representation
    return convert


def _in_words(zone: tzinfo, moment: datetime) -> str:
    """ISO 8601 in the current time zone, as DateTimeField has it."""
    text = moment.astimezone(zone).isoformat()
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def _texts(values: Iterable[Any]) -> list[str | None]:
    return [None if value is None else str(value) for value in values]
