"""Searching a real index."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from feeds.core.ids import lowest_id
from feeds.core.partitions import ensure_partitions, forget_known_partitions
from feeds.models import Folder, Subscription
from feeds.reading.marks import set_state
from feeds.search.postgres import find as postgres_find
from feeds.search.query.types import ENOUGH
from feeds.search.run import search_items
from feeds.search.sqlite import find as sqlite_find
from feeds.sources.subscriptions import unsubscribe
from feeds.stories.grouping.edit import delete_items
from tests.make import make_item, make_source, make_user

pytestmark = pytest.mark.django_db
ODD = "ab\"*-():^{}+%_\\' \0ORANDNOTNEARis:before4é漢"


def found(user: User, text: str) -> list[str]:
    return [item.title for item in search_items(user, text).items]


def test_words_phrases_exclusion_and_alternatives(reader: User) -> None:
    source = make_source(reader=reader)
    make_item(source, "Open weights", text="A large model for everyone")
    make_item(source, "Closed weights", text="A model that is large and secret")
    assert found(reader, "weights open") == ["Open weights", "Closed weights"]
    assert found(reader, '"large model"') == ["Open weights"]
    assert found(reader, "weights -secret") == ["Open weights"]
    assert set(found(reader, "everyone OR secret")) == {"Open weights", "Closed weights"}
    assert found(reader, "-secret") == ["Open weights"]
    assert found(reader, "secr*") == ["Closed weights"]
    assert found(reader, "weigh") == []
    assert len(found(reader, "weight")) == 2


def with_all(user: User, text: str) -> tuple[int, list[str]]:
    results = search_items(user, text)
    return results.with_all, [item.title for item in results.items]


def test_items_with_some_of_the_words_follow_those_with_all(reader: User) -> None:
    source = make_source(reader=reader)
    make_item(source, "Kestrel lands", text="nothing about engines")
    make_item(source, "A long look", text="far away a kestrel has a wing of carbon")
    make_item(source, "Something else", text="nothing at all")

    results = search_items(reader, "kestrel wing carbon")

    assert [item.title for item in results.items] == ["A long look", "Kestrel lands"]
    assert (results.found, results.with_all) == (2, 1)
    assert results.counted == "1 result with all words, 1 with some of them"
    assert [item.has_all for item in results.items] == [True, False]  # type: ignore[attr-defined]


def test_a_question_finds_what_tells_most_of_it(reader: User) -> None:
    source = make_source(reader=reader)
    for number in range(30):
        make_item(source, f"The company and what it is {number}", text="what was done by whom")
    make_item(source, "Kestrel buys Falcon", text="The company paid two billion")
    make_item(source, "Weather", text="It is what it was")

    titles = found(reader, "what did the company pay when it bought kestrel?")

    assert titles[0] == "Kestrel buys Falcon"
    assert "Weather" not in titles


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('"large model" kestrel weights', (1, ["Kestrel one", "Kestrel two"])),
        ('"large model" falcon', (0, ["Kestrel one", "Kestrel two"])),
        ("weights falcon -secret", (0, ["Kestrel one"])),
        ("kestrel falcon -weights", (0, ["Kestrel two"])),
        ("kestrel falcon topic:agents", (0, ["Kestrel two"])),
        ("kestrel falcon source:outlet is:saved", (0, ["Kestrel one"])),
        ("falcon OR eagle", (0, [])),
        ("falc* eagl*", (0, [])),
        ("kest* falcon topic:agents", (0, ["Kestrel two"])),
    ],
)
def test_what_is_quoted_excluded_or_filtered_holds_for_some_words_too(
    reader: User, text: str, wanted: tuple[int, list[str]]
) -> None:
    source = make_source(reader=reader)
    one = make_item(source, "Kestrel one", text="a large model with weights")
    make_item(source, "Kestrel two", text="it was a large model", topics=["agents"])
    make_item(source, "Kestrel three", text="a model that is large, secret weights")
    set_state(reader, [one.pk], saved=True)

    whole, titles = with_all(reader, text)

    assert (whole, sorted(titles)) == wanted


def test_nothing_is_loosened_where_a_page_has_all_words(reader: User) -> None:
    source = make_source(reader=reader)
    for number in range(ENOUGH):
        make_item(source, f"Kestrel wing {number}")
    make_item(source, "Kestrel alone")

    results = search_items(reader, "kestrel wing")

    assert (results.found, results.with_all) == (ENOUGH, ENOUGH)


def test_what_another_reader_sees_is_not_found_by_some_of_the_words(reader: User) -> None:
    make_item(make_source("private", reader=make_user("other")), "Secret kestrel")
    make_item(make_source("public", is_public=True), "Public kestrel")

    assert with_all(reader, "kestrel falcon") == (0, ["Public kestrel"])


def test_pages_go_from_all_words_to_some(reader: User) -> None:
    source = make_source(reader=reader)
    for number in range(6):
        make_item(source, f"Kestrel {number}", text="wing" if number % 2 else "")

    pages = [search_items(reader, "kestrel wing", limit=2, page=page) for page in (1, 2, 3)]

    flags = [item.has_all for page in pages for item in page.items]  # type: ignore[attr-defined]
    assert flags == [True, True, True, False, False, False]
    assert len({item.pk for page in pages for item in page.items}) == 6
    assert [page.next_page for page in pages] == [2, 3, None]


@pytest.fixture
def few_candidates(monkeypatch: pytest.MonkeyPatch) -> int:
    """Lower the limit of partial candidates below the size of a small library."""
    for backend in (sqlite_find, postgres_find):
        monkeypatch.setattr(backend, "PARTIAL_CANDIDATES", 4)
    return 4


def test_what_has_rare_words_comes_before_what_has_common_ones(
    reader: User, few_candidates: int
) -> None:
    source = make_source(reader=reader)
    for number in range(20):
        make_item(source, f"Common {number}", text="frequent words " * (number % 3))
    make_item(source, "Rare kestrel", published=timezone.now() - timedelta(days=300))

    whole, titles = with_all(reader, "common frequent kestrel")

    assert (whole, titles[0]) == (0, "Rare kestrel")
    assert titles[1:] and len(titles) <= 1 + 2 * few_candidates


def test_what_others_alone_see_takes_no_place_among_what_is_ranked(
    reader: User, few_candidates: int
) -> None:
    mine, theirs = make_source(reader=reader), make_source("theirs", reader=make_user("other"))
    make_item(mine, "Falcon one", published=timezone.now() - timedelta(days=2))
    for _ in range(3 * few_candidates):
        make_item(theirs, "Falcon and common")
        make_item(mine, "Common news")

    titles = found(reader, "falcon common absent")

    assert "Falcon one" in titles
    assert "Falcon and common" not in titles


def test_a_word_that_is_nowhere_does_not_hide_what_has_the_others(
    reader: User, few_candidates: int
) -> None:
    source = make_source(reader=reader)
    for number in range(10):
        make_item(
            source, f"Common {number}", published=timezone.now() - timedelta(hours=20 - number)
        )

    whole, titles = with_all(reader, "common absent")

    assert (whole, titles) == (0, [f"Common {number}" for number in (9, 8, 7, 6)])


def test_a_match_in_the_title_comes_first(reader: User) -> None:
    source = make_source(reader=reader)
    make_item(source, "A quiet day", text="kestrel " + "other words " * 20)
    make_item(source, "Kestrel is out", published=timezone.now() - timedelta(days=9), text="x")
    assert found(reader, "kestrel") == ["Kestrel is out", "A quiet day"]


def test_operators_narrow_the_search(reader: User) -> None:
    folder = Folder.objects.create(user=reader, name="Labs")
    lab, paper = make_source("lab", reader=reader), make_source("paper", reader=reader)
    Subscription.objects.filter(source=lab).update(folder=folder)
    old = timezone.now() - timedelta(days=20)
    one = make_item(lab, "Model one", topics=["agents"])
    two = make_item(paper, "Model two", published=old)
    set_state(reader, [one.pk], read=True)
    set_state(reader, [two.pk], saved=True)
    assert found(reader, "model source:lab") == ["Model one"]
    assert found(reader, "model folder:labs") == ["Model one"]
    assert found(reader, "model topic:agents") == ["Model one"]
    assert found(reader, "model is:unread") == ["Model two"]
    assert found(reader, "model is:read") == ["Model one"]
    assert found(reader, "is:saved") == ["Model two"]
    week = (timezone.now() - timedelta(days=7)).date().isoformat()
    assert found(reader, f"model after:{week}") == ["Model one"]
    assert found(reader, f"model before:{week}") == ["Model two"]
    results = search_items(reader, "model source:nowhere")
    assert (results.items, results.problems) == ([], ("No source is named 'nowhere'.",))


def test_dates_may_leave_a_single_partition(reader: User) -> None:
    source = make_source(reader=reader)
    make_item(source, "Model of old", published=datetime(1999, 12, 24, tzinfo=UTC))
    make_item(source, "Model of the month", published=datetime(2026, 3, 10, tzinfo=UTC))
    ensure_partitions([lowest_id(datetime(2026, 3, 1, tzinfo=UTC))])
    forget_known_partitions()  # as after a minute

    assert found(reader, "model before:2000-01-01") == ["Model of old"]
    assert found(reader, "model after:2026-03-05 before:2026-03-20") == ["Model of the month"]


def test_matches_are_marked_and_everything_else_is_escaped(reader: User) -> None:
    text = "say <script>alert(1)</script> to kestrel & co"
    make_item(make_source(reader=reader), "The <b>Kestrel</b>", text=text)
    (item,) = search_items(reader, "kestrel").items
    assert item.marked_title == "The &lt;b&gt;<mark>Kestrel</mark>&lt;/b&gt;"  # type: ignore[attr-defined]
    assert "<mark>kestrel</mark> &amp; co" in item.marked_snippet  # type: ignore[attr-defined]
    assert "<script" not in item.marked_snippet  # type: ignore[attr-defined]


def test_readers_find_only_what_they_may_see(reader: User) -> None:
    make_item(make_source("private", reader=make_user("other")), "Secret plan")
    make_item(make_source("public", is_public=True), "Public plan")
    assert found(reader, "plan") == ["Public plan"]


def test_pages_follow_one_another(reader: User) -> None:
    source = make_source(reader=reader)
    for number in range(5):
        make_item(source, f"Plan {number}")
    first = search_items(reader, "plan", limit=3)
    second = search_items(reader, "plan", limit=3, page=first.next_page or 0)
    assert (first.found, first.is_capped, second.next_page) == (5, False, None)
    assert len({item.pk for item in first.items + second.items}) == 5


def test_the_number_of_queries_does_not_depend_on_the_matches(reader: User) -> None:
    source = make_source(reader=reader)
    counts = []
    for number in (1, 1, 20):  # the first also reads the list of partitions, once a minute
        for _ in range(number):
            make_item(source, "Plan")
        with CaptureQueriesContext(connection) as queries:
            search_items(reader, "plan is:unread")
        counts.append(len(queries))
    most = 14  # with the stems of the words and the saved languages, or the lengths of the items
    assert counts[1] == counts[2] <= counts[0] <= most + 1


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.text(alphabet=st.sampled_from("ab\"*-():^{}+%_\\' \0ORANDNOTNEARis:before4é漢"), max_size=40)
)
def test_nothing_that_is_typed_is_an_error(reader: User, text: str) -> None:
    search_items(reader, text)


def test_what_many_search_for_is_looked_for_once(reader: User) -> None:
    make_item(make_source("public", is_public=True), "Public plan")
    found(make_user("other"), "plan")

    with CaptureQueriesContext(connection) as queries:
        assert found(reader, "plan") == ["Public plan"]

    assert not [one for one in queries if " MATCH " in one["sql"] or "tsquery" in one["sql"]]


def test_what_one_reader_found_no_other_sees(reader: User) -> None:
    other = make_user("other")
    secret = make_item(make_source("private", reader=other), "Secret plan")
    make_item(make_source("public", is_public=True), "Public plan")
    assert set(found(other, "plan")) == {"Public plan", "Secret plan"}
    assert found(reader, "plan") == ["Public plan"]

    set_state(other, [secret.pk], saved=True)
    unsubscribe(other, secret.source)
    assert set(found(other, "plan")) == {"Public plan", "Secret plan"}
    set_state(other, [secret.pk], saved=False)

    assert found(other, "plan") == ["Public plan"]


def test_readers_with_private_sources_share_no_cached_search(reader: User) -> None:
    other = make_user("other")
    make_item(make_source("private", reader=other), "Secret plan")
    make_item(make_source("own", reader=reader), "Own plan")
    make_item(make_source("public", is_public=True), "Public plan")
    stranger = make_user("stranger")
    everybodys, own, others = (
        {"Public plan"},
        {"Public plan", "Own plan"},
        {"Public plan", "Secret plan"},
    )

    # Each finds all of theirs, with their own number of matches, whichever searched first.
    for user, expected in [
        (stranger, everybodys),
        (reader, own),
        (other, others),
        (stranger, everybodys),
    ]:
        results = search_items(user, "plan")
        titles = {item.title for item in results.items}
        assert (titles, results.found) == (expected, len(expected))


def test_a_search_shows_what_came_and_changed_since(reader: User) -> None:
    source = make_source(reader=reader)
    first = make_item(source, "Plan one")
    assert found(reader, "plan") == ["Plan one"]
    second = make_item(source, "Plan two")
    assert set(found(reader, "plan")) == {"Plan one", "Plan two"}
    assert set(found(reader, "plan is:unread")) == {"Plan one", "Plan two"}

    set_state(reader, [first.pk], read=True)
    assert found(reader, "plan is:unread") == ["Plan two"]
    delete_items([second])
    assert found(reader, "plan") == ["Plan one"]
    assert found(reader, "plan is:unread") == []
