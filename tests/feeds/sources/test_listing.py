"""The page of sources: a bounded page of rows, in order, in as many queries for 3 as for 300."""

from typing import Any

import pytest

from feeds.models import Folder, Source, Subscription
from feeds.sources import listing
from feeds.sources.listing import catalogue_for, sources_page
from tests.make import make_source, make_user

pytestmark = pytest.mark.django_db


def test_rows_are_sorted_by_folder_and_name_and_failures_are_counted() -> None:
    reader, other = make_user(), make_user("other")
    labs = Folder.objects.create(user=reader, name="Labs")
    for name in ("zeta", "alpha", "Mid"):
        make_source(name, title=name, reader=reader)
    Subscription.objects.filter(source__title="alpha").update(folder=labs)
    Subscription.objects.filter(source__title="zeta").update(title="Beta by me")
    Source.objects.filter(title="zeta").update(failures=2, error="No answer.")
    Source.objects.filter(title="alpha").update(status=Source.Status.GONE)
    Source.objects.filter(title="Mid").update(status=Source.Status.PAUSED, failures=2)
    make_source("theirs", reader=other, failures=1)

    page = sources_page(reader, {labs.pk: "Labs"}, None)

    assert [(row.name, path, row.source.state_word) for row, path in page.rows] == [
        ("Beta by me", "", "failing"),
        ("Mid", "", "paused"),
        ("alpha", "Labs", "gone"),
    ]
    assert (page.failing, page.shown.paginator.count) == (2, 3)


def test_a_page_is_bounded_and_so_are_its_queries(
    django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 10)
    reader = make_user()
    make_source("first", reader=reader)
    for count in (1, 25):
        for n in range(count - 1):
            make_source(f"s{n:02}", reader=reader, last_fetched_at=None)
        with django_assert_num_queries(2):
            page = sources_page(reader, {}, "1")
            [(row.source.state_word, row.source.kind, row.source.error) for row, _ in page.rows]
        assert len(page.rows) == min(count, 10)
    third = [row.name for row, _ in sources_page(reader, {}, "3").rows]
    assert third == ["S19", "S20", "S21", "S22", "S23"]
    assert sources_page(reader, {}, "nonsense").shown.number == 1
    assert sources_page(make_user("new"), {}, None).rows == []


def test_the_catalogue_has_public_sources_that_the_reader_does_not_follow(
    django_assert_num_queries: Any,
) -> None:
    reader, other = make_user(), make_user("other")
    make_source("mine", is_public=True, reader=reader)
    both = make_source("both", is_public=True, pack="labs", reader=other)
    free = make_source("free", is_public=True, pack="arts")
    make_source("secret", reader=other)

    with django_assert_num_queries(1):
        sources = catalogue_for(reader)
        assert [(source.name, source.pack) for source in sources] == [
            (str(free), "arts"),
            (str(both), "labs"),
        ]


def test_the_catalogue_has_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PAGE_OF_CATALOGUE", 2)
    for n in range(5):
        make_source(f"s{n}", is_public=True)
    reader = make_user()

    assert [source.name for source in catalogue_for(reader, "3")] == ["S4"]
    assert catalogue_for(reader, "odd").number == 1
    assert catalogue_for(reader).paginator.count == 5
