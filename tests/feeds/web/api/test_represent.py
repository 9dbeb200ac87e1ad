"""Lists have the same values as by their serializers."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from rest_framework import serializers as fields

from feeds.models import Item, ItemState, Source
from feeds.reading.filters import Filters
from feeds.reading.ranked import ranked_stories
from feeds.reading.river import river
from feeds.web.api.items import ItemSerializer
from feeds.web.api.ranked import RankedSerializer
from feeds.web.api.represent import represent
from feeds.web.api.sources import SourceSerializer, with_subscriptions
from tests.make import make_item, make_source, make_story, make_user

MOMENT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


class Inner(fields.Serializer[object]):
    name = fields.CharField()
    at = fields.DateTimeField(allow_null=True)


class Outer(fields.Serializer[object]):
    number = fields.IntegerField(source="deep.number")
    share = fields.FloatField()
    kind = fields.ChoiceField(choices=["a", "b"])
    flag = fields.BooleanField()
    names = fields.ListField(child=fields.CharField())
    counts = fields.DictField(child=fields.IntegerField())
    inner = Inner(many=True)
    secret = fields.CharField(write_only=True)


def a_row(**changes: Any) -> SimpleNamespace:
    inner = [SimpleNamespace(name="n", at=MOMENT), SimpleNamespace(name=5, at=None)]
    values = {
        "deep": SimpleNamespace(number="7"),
        "share": 0.1 + 0.2,
        "kind": "a",
        "flag": True,
        "names": ["x", 3, None],
        "counts": {"k": 1},
        "inner": inner,
        "secret": "s",
    }
    return SimpleNamespace(**values | changes)


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("Asia/Kolkata"), ZoneInfo("Europe/Berlin")])
def test_all_kinds_of_fields_are_as_by_the_serializer(zone: Any) -> None:
    rows = [a_row(), a_row(share=None, names=[], inner=[], kind="b", flag=False)]
    with timezone.override(zone):
        assert represent(Outer, rows) == Outer(rows, many=True).data
    assert represent(Outer, []) == []


@pytest.mark.django_db
def test_the_lists_of_the_api_are_as_by_their_serializers() -> None:
    reader = make_user()
    now = timezone.now()
    sources = [
        make_source(f"s{n}", reader=reader, topics=["chips"] * n, last_fetched_at=now)
        for n in range(3)
    ]
    make_source("nameless", title="", reader=reader, failures=2, error="No.")
    items = [
        make_item(sources[n % 3], f"News {n}", topics=["agents"], updated_at=now) for n in range(6)
    ]
    make_story(*items[:2])
    make_story(items[2])
    ItemState.objects.create(user=reader, item=items[0], is_read=True, is_saved=True)
    Item.objects.filter(pk=items[1].pk).update(copy_of=items[0].pk)
    shown = with_subscriptions(reader, list(Source.objects.order_by("pk")))
    lists: list[tuple[Any, list[Any]]] = [
        (SourceSerializer, shown),
        (ItemSerializer, river(reader, Filters())),
        (RankedSerializer, ranked_stories(reader, now=now + timedelta(minutes=1))),
    ]
    for serializer, rows in lists:
        assert rows
        represented = represent(serializer, rows)
        assert represented == [dict(row) for row in serializer(rows, many=True).data]
        assert [list(row) for row in represented] == [list(serializer(rows[0]).data)] * len(rows)
