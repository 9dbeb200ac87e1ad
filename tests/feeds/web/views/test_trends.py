"""The pages of trends and their API: what they show, to whom, and in how few queries."""

from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import ApiToken, User
from feeds.models import Subscription, TrendAlert, TrendFollow
from feeds.trends import board
from feeds.trends.types import Trend
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(reader: User) -> Client:
    return Client(headers={"Authorization": f"Bearer {ApiToken.issue(reader, 'test')}"})


def publish(*labels: str, user: User | None = None, **fields: Any) -> list[Trend]:
    """A board of trends, each led by a story of a public source."""
    source = make_source(f"s{user}{len(labels)}", is_public=True)
    now = timezone.now()
    trends = []
    for number, label in enumerate(labels):
        story = make_story(make_item(source, f"All about {label}"))
        values: dict[str, Any] = {
            "key": label.lower(), "label": label, "aliases": ("Alias",), "stories": 12,
            "before": 3, "sources": 9, "stage": "climbing", "sparkline": (0,) * 29 + (4,),
            "story_id": story.pk, "story_title": story.title, "score": 9.0 - number,
            "expected": 2.4, "is_burst": False, "began": now.date(),
        }  # fmt: skip
        trends.append(Trend(**(values | fields)))
    board.write(user.pk if user else None, trends, now)
    return trends


def test_a_trend_says_how_many_stories_which_stage_and_what_leads(page: Client) -> None:
    publish("Velloria")

    html = page.get(reverse("trends")).content.decode()

    assert "12 stories from" in html
    assert "3 the week before" in html
    assert "climbing" in html
    assert "All about Velloria" in html
    assert "also called Alias" in html
    assert "12 stories from 9 sources in 7 days, usually 2; 3 the week before." in html
    assert "4 so far today" in html
    assert html.count("<rect") == 1  # a day without stories has no bar


def test_without_trends_the_page_says_why(page: Client, reader: User) -> None:
    make_source("one", reader=reader)
    html = page.get(reverse("trends")).content.decode()

    assert "Nothing is trending" in html
    assert "three sources" in html


@pytest.mark.parametrize("sort", ["", "rise", "stories", "name", "nonsense"])
def test_trends_are_sorted_as_asked(page: Client, sort: str) -> None:
    publish("Zeta", "Alpha")

    html = page.get(reverse("trends"), {"sort": sort}).content.decode()

    assert (html.index(">Alpha<") < html.index(">Zeta<")) == (sort == "name")


def test_a_reader_without_sources_is_asked_to_choose_some(page: Client, reader: User) -> None:
    Subscription.objects.filter(user=reader).delete()
    assert "Choose sources" in page.get("/trends/").content.decode()
    publish("Velloria")
    shown = page.get("/trends/").content.decode()
    assert "Velloria" in shown
    assert "your sources" not in shown


def test_the_page_costs_the_same_queries_whatever_it_shows(page: Client) -> None:
    publish("One")
    page.get(reverse("trends"))
    with CaptureQueriesContext(connection) as few:
        page.get(reverse("trends"))
    publish(*[f"Name{n}" for n in range(25)])

    with CaptureQueriesContext(connection) as many:
        html = page.get(reverse("trends")).content.decode()

    assert html.count("data-row") == 25
    assert len(many) <= len(few) + 1  # the unread items that have arrived are counted


def test_who_is_not_signed_in_sees_nothing() -> None:
    for address in (reverse("trends"), reverse("trend", args=["velloria"])):
        assert Client().get(address).status_code == 302
    assert Client().get(reverse("api_trends")).status_code == 401


def test_a_term_is_followed_and_unfollowed_on_the_page(page: Client, reader: User) -> None:
    address = reverse("trend_follow")

    page.post(address, {"term": "velloria", "label": "Velloria"})
    assert TrendFollow.objects.get(user=reader).label == "Velloria"
    assert "Following" in page.get(reverse("trends")).content.decode()

    page.post(address, {"term": "velloria", "stop": "1"})
    assert not TrendFollow.objects.exists()


def test_a_term_that_names_nothing_is_refused_in_words(page: Client) -> None:
    html = page.post(reverse("trend_follow"), {"term": "the"}, follow=True).content.decode()

    assert "Enter a name or phrase" in html


def test_an_alert_stands_on_the_page_until_it_is_dismissed(page: Client, reader: User) -> None:
    (trend,) = publish("Velloria")
    now = timezone.now()
    TrendAlert.objects.create(
        user=reader, term="velloria", label="Velloria", began=now, until=now, made_at=now,
        due_at=now, explanation="7 stories from 7 sources in two days", story_id=trend.story_id,
    )  # fmt: skip

    assert "7 sources in two days" in page.get(reverse("trends")).content.decode()
    page.post(reverse("trends_seen"))
    assert "7 sources in two days" not in page.get(reverse("trends")).content.decode()


def count_all(*items: Any) -> None:
    from feeds.trends.count import count_days

    count_days(timezone.now())


def test_a_term_s_page_lists_the_stories_that_the_reader_may_see(
    page: Client, reader: User
) -> None:
    public = make_source("public", is_public=True)
    private = make_source("private")
    for source, title in ((public, "Velloria opens"), (private, "Velloria, secretly")):
        make_story(make_item(source, title))
    count_all()

    html = page.get(reverse("trend", args=["velloria"])).content.decode()
    assert "Velloria opens" in html
    assert "secretly" not in html
    assert "1</span> story in 7 days" in html

    Subscription.objects.create(user=reader, source=private)
    assert "secretly" in page.get(reverse("trend", args=["velloria"])).content.decode()


def test_a_term_that_only_private_sources_of_others_name_is_not_found(page: Client) -> None:
    make_story(make_item(make_source("private"), "Velloria opens"))
    count_all()

    answer = page.get(reverse("trend", args=["velloria"]))

    assert answer.status_code == 404
    assert "None of your sources" in answer.content.decode()


@pytest.mark.parametrize("term", ["#chips", "#nonsense", "<b>", "…", "x" * 300, "GPT 5", "%"])
def test_an_odd_term_is_an_empty_page_and_no_failure(page: Client, term: str) -> None:
    answer = page.get(f"/trends/{quote(term, safe='')}/")

    assert answer.status_code == 404
    assert "<b>" not in answer.content.decode()


def test_a_term_s_page_costs_the_same_queries_whatever_it_shows(page: Client) -> None:
    source = make_source("public", is_public=True)
    make_story(make_item(source, "Velloria opens"))
    count_all()
    page.get(reverse("trend", args=["velloria"]))
    with CaptureQueriesContext(connection) as few:
        page.get(reverse("trend", args=["velloria"]))
    for number in range(20):
        make_story(make_item(source, f"Velloria, part {number}"))
    count_all()

    with CaptureQueriesContext(connection) as many:
        html = page.get(reverse("trend", args=["velloria"])).content.decode()

    assert html.count("data-row") == 21
    assert len(many) <= len(few) + 1  # the unread items that have arrived are counted


def test_the_api_lists_trends_with_all_their_figures(api: Client) -> None:
    publish("Velloria")

    answer = api.get(reverse("api_trends"))

    (one,) = answer.json()["results"]
    assert (one["label"], one["stories"], one["before"], one["stage"]) == (
        "Velloria", 12, 3, "climbing",
    )  # fmt: skip
    assert len(one["sparkline"]) == 30
    assert one["explanation"].startswith("12 stories from 9 sources")
    again = api.get(reverse("api_trends"), headers={"If-None-Match": answer["ETag"]})
    assert again.status_code == 304


def test_the_api_costs_the_same_queries_whatever_it_lists(api: Client) -> None:
    publish("One")
    api.get(reverse("api_trends"))
    with CaptureQueriesContext(connection) as few:
        api.get(reverse("api_trends"))
    publish(*[f"Name{n}" for n in range(25)])

    with CaptureQueriesContext(connection) as many:
        found = api.get(reverse("api_trends")).json()["results"]

    assert len(found) == 25
    assert len(many) == len(few)


def test_terms_are_followed_by_the_api(api: Client) -> None:
    address = reverse("api_trend_follows")

    made = api.post(address, {"term": "GPT 6"}, content_type="application/json")
    assert (made.status_code, made.json()["term"], made.json()["label"]) == (201, "gpt-6", "GPT 6")
    assert [one["term"] for one in api.get(address).json()["results"]] == ["gpt-6"]

    one = reverse("api_trend_follow", args=[made.json()["id"]])
    assert api.delete(one).status_code == 204
    assert api.delete(one).status_code == 404


@pytest.mark.parametrize("body", [{"term": "the"}, {"term": 5}, {}, [1]])
def test_the_api_refuses_what_is_no_term_in_words(api: Client, body: Any) -> None:
    answer = api.post(reverse("api_trend_follows"), body, content_type="application/json")

    assert answer.status_code == 400
    assert "term" in answer.json()


def test_nobody_stops_following_for_another(api: Client) -> None:
    other = TrendFollow.objects.create(user=make_user("other"), term="tarn", label="Tarn")

    assert api.delete(reverse("api_trend_follow", args=[other.pk])).status_code == 404
    assert TrendFollow.objects.filter(pk=other.pk).exists()
