"""Narrow rows are what Django reads, on both databases."""

from typing import Any

import pytest
from django.utils import timezone

from feeds.models import Item, Source, Story
from feeds.models.narrow import narrow_items, narrow_rows
from tests.make import make_item, make_source, make_story

pytestmark = pytest.mark.django_db


def values(row: Any, names: list[str]) -> list[Any]:
    return [getattr(row, name) for name in names]


@pytest.mark.parametrize("model", [Item, Source, Story])
def test_every_column_has_the_value_that_django_reads(
    model: Any, django_assert_num_queries: Any
) -> None:
    now = timezone.now()
    source = make_source(topics=["chips", "ä"], is_public=True, last_fetched_at=now, weight=1.5)
    items = [make_item(source, f"News {n}", topics=["agents"], updated_at=now) for n in range(3)]
    make_story(*items[:2], topics=["agents"], title_pinned=True)
    names = [field.attname for field in model._meta.concrete_fields]
    expected = {row.pk: values(row, names) for row in model.objects.all()}

    for chosen in (names, names[::-1], ["id", "title"], ["title", "id"]):
        with django_assert_num_queries(1):
            rows = narrow_rows(model, chosen, [*expected, *expected, 1 << 50])
            read = {pk: values(row, chosen) for pk, row in rows.items()}
        assert read == {
            pk: [all_values[names.index(name)] for name in chosen]
            for pk, all_values in expected.items()
        }
    assert narrow_rows(model, names, []) == {}


def test_items_come_with_their_source_and_story(django_assert_num_queries: Any) -> None:
    one, two = make_source("one"), make_source("two")
    first, second, alone = make_item(one), make_item(one), make_item(two)
    story = make_story(first, second)

    with django_assert_num_queries(1):
        items = narrow_items(
            ["title", "source_id", "story_id", "id"],
            ["title", "id"],
            [first.pk, second.pk, alone.pk],
            ["id", "title"],
        )
        assert {pk: (i.source.title, i.story and i.story.title) for pk, i in items.items()} == {
            first.pk: ("One", story.title),
            second.pk: ("One", story.title),
            alone.pk: ("Two", None),
        }
    assert items[first.pk].source is items[second.pk].source
    assert narrow_items(["id"], ["id"], []) == {}
