"""The coverage strip of an edition: where its dots are, and what it says."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from digests.channels.plain_text import as_text
from digests.channels.strip import COLUMNS, NEAR, strip_of
from digests.editions.write import MAX_MARKS, write_digest
from tests.digests.make import TEXT
from tests.make import make_item, make_source, make_story, make_user

START = datetime(2026, 5, 20, 8, tzinfo=UTC)


def story(*hours: float, kinds: str = "", **fields: Any) -> dict[str, Any]:
    names = {"c": "copy", "d": "discussion"}
    marks = [
        {
            "published": (START + timedelta(hours=at)).isoformat(),
            "source": f"Paper {n}",
            "kind": names.get(kinds[n : n + 1], "article"),
        }
        for n, at in enumerate(hours)
    ]
    basis = {"coverage": marks, "article_count": len(marks), "source_count": 2, "is_update": False}
    return basis | fields


def test_dots_stand_where_their_articles_came_until_the_edition_was_written() -> None:
    strip = strip_of(story(0, 5, 10, kinds=" cd"), START + timedelta(hours=20), UTC)

    assert strip is not None
    assert [(d.kind, d.place, d.gap) for d in strip.dots] == [
        ("first", 0, 0), ("copy", 25, 25), ("discussion", 50, 25)
    ]  # fmt: skip
    assert strip.rest == 50
    text = strip.as_text()
    assert (len(text), text[0], text.count("·"), text.count("○")) == (COLUMNS, "●", 1, 1)


def test_the_caption_has_counts_and_times_in_the_reader_s_zone() -> None:
    until = START + timedelta(hours=20)
    strip = strip_of(story(0, 20), until, ZoneInfo("Asia/Tokyo"))
    assert strip is not None
    assert strip.caption == (
        "2 articles from 2 sources. First: Paper 0, Wed 17:00. Latest: Paper 1, Thu 13:00."
    )
    update = strip_of(story(0, 20, is_update=True, source_count=1), until, UTC)
    assert update is not None
    assert update.caption == "2 new articles from 1 source. Latest: Paper 1, Thu 04:00."
    assert update.dots[0].kind == "article"


def test_dots_that_are_too_near_are_one_and_late_ones_stay_on_the_line() -> None:
    strip = strip_of(story(0, *[1 + n / 100 for n in range(20)], 99), START, UTC)
    assert strip is not None
    assert all(dot.gap >= NEAR for dot in strip.dots[1:])
    assert max(dot.place for dot in strip.dots) <= 100
    assert "●" in strip.as_text()


@pytest.mark.parametrize("marks", [story(), story(0), {"is_update": False}])
def test_one_article_and_old_editions_have_no_strip(marks: dict[str, Any]) -> None:
    assert strip_of(marks, START, UTC) is None


@pytest.mark.django_db
def test_an_edition_stores_the_coverage_and_shows_it(client: Client) -> None:
    reader = make_user(time_zone="Europe/Berlin")
    now = timezone.now()
    sources = [make_source(f"paper{n}", reader=reader) for n in range(3)]
    talk = make_source("hn", reader=reader, url="https://hnrss.org/newest")
    items = [
        make_item(
            sources[n % 3], f"Part {n}", text=TEXT, published=now - timedelta(minutes=400 - n)
        )
        for n in range(30)
    ]
    items.append(make_item(talk, "Ask", published=now - timedelta(minutes=60)))
    make_story(*items)

    digest = write_digest(reader, now=now)

    stored = digest.content["stories"][0]
    assert (stored["article_count"], len(stored["coverage"])) == (31, MAX_MARKS)
    assert stored["coverage"][-1]["kind"] == "discussion"
    client.force_login(reader)
    page = client.get(f"/digest/{digest.date}/").content.decode()
    assert "31 articles from 4 sources. First: Paper0, " in page
    assert page.count('cy="6" r="2"') == 1
    assert "○" in as_text(digest)
