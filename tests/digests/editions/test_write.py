"""An edition tells the day's stories with citations, and does not repeat the day before."""

from datetime import UTC, datetime, timedelta

import pytest

from digests.editions.window import Schedule, window_of
from digests.editions.write import write_digest
from digests.models import Digest
from digests.tasks import write_due_digests
from feeds.models import ItemState
from feeds.reading.marks import set_state
from tests.digests.make import make_reader
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
TEXT = "The lab published a model of seven billion weights on Wednesday. More follows."


def test_each_sentence_cites_the_source_in_which_it_stands() -> None:
    reader = make_user()
    first = make_item(
        make_source("one", reader=reader), text=TEXT, published=NOW - timedelta(hours=5)
    )
    second = make_item(
        make_source("two", reader=reader),
        text="Critics say that the new weights come with a licence nobody can use.",
        published=NOW - timedelta(hours=4),
    )
    make_story(first, second)

    story = write_digest(reader, now=NOW).content["stories"][0]

    texts = {1: first.summary, 2: second.summary}
    assert len(story["sentences"]) == 2
    assert all(s["text"] in texts[n] for s in story["sentences"] for n in s["cites"])
    assert [c["item_id"] for c in story["citations"]] == [first.pk, second.pk]


def test_an_edition_leaves_out_what_yesterday_s_told_unless_something_is_new() -> None:
    reader = make_user()
    source = make_source("one", reader=reader)
    story = make_story(make_item(source, text=TEXT, published=NOW - timedelta(hours=20)))
    write_digest(reader, (NOW - timedelta(days=1)).date(), now=NOW - timedelta(hours=13))

    quiet = write_digest(reader, now=NOW).content["stories"]
    make_item(
        source, "The model is withdrawn", text=TEXT, published=NOW - timedelta(hours=1), story=story
    )
    told = write_digest(reader, now=NOW).content["stories"]

    assert quiet == []
    assert [(s["headline"], s["is_update"]) for s in told] == [("The model is withdrawn", True)]


def test_a_reader_s_edition_knows_nothing_of_others_sources() -> None:
    reader, stranger = make_user(), make_user("stranger")
    shared = make_item(
        make_source("shared", reader=reader), text=TEXT, published=NOW - timedelta(hours=2)
    )
    private = make_item(
        make_source("private", reader=stranger),
        "A secret headline",
        text="Something that only its own reader may ever come to see in print.",
        published=NOW - timedelta(hours=3),
    )
    make_story(private, shared)

    content = write_digest(reader, now=NOW).content

    assert "secret" not in str(content)
    assert content["stories"][0]["headline"] == shared.title


def test_what_a_reader_hid_is_not_told() -> None:
    reader = make_user()
    item = make_item(
        make_source("one", reader=reader), text=TEXT, published=NOW - timedelta(hours=2)
    )
    make_story(item)
    ItemState.objects.create(user=reader, item=item, is_hidden=True)

    assert write_digest(reader, now=NOW).content["stories"] == []


def test_a_day_is_the_reader_s_own() -> None:
    window = window_of(datetime(2026, 5, 10, tzinfo=UTC).date(), Schedule(7, "Asia/Tokyo"), NOW)

    assert window.start == datetime(2026, 5, 9, 15, tzinfo=UTC)
    assert window.end - window.start == timedelta(days=1)


def test_the_schedule_writes_once_for_readers_with_sources() -> None:
    reader = make_reader()
    make_reader("idle")
    make_story(make_item(make_source("one", reader=reader), text=TEXT))

    assert (write_due_digests(), write_due_digests()) == (1, 0)
    assert Digest.objects.get().user == reader


def test_the_number_of_queries_does_not_grow_with_the_stories(
    django_assert_max_num_queries: pytest.FixtureRequest,
) -> None:
    reader = make_user()
    for n in range(30):
        source = make_source(f"outlet{n}", reader=reader)
        make_story(make_item(source, f"Story {n}", text=TEXT, published=NOW - timedelta(hours=2)))
    set_state(reader, [make_item(source, "Opened").pk], opened=True)

    with django_assert_max_num_queries(21):  # type: ignore[operator]
        digest = write_digest(reader, now=NOW)

    assert 5 <= len(digest.content["stories"]) <= 9
    assert digest.content["also"]
