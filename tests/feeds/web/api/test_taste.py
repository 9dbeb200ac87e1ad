"""The API of a reader's taste: what the pages can do, and nothing of anybody else."""

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import ApiToken, User
from feeds.models import FollowedStory, ItemState, Subscription
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db


def client_of(user: User) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {ApiToken.issue(user, 'test')}")
    return client


def test_ranked_stories_come_with_their_terms_and_why() -> None:
    reader = make_user(interests={"agents": "more"})
    source = make_source(reader=reader)
    when = timezone.now() - timedelta(hours=1)
    for title, topics in (("Plain", []), ("Wanted", ["agents"])):
        make_story(make_item(source, title, topics=topics, published=when))
    client = client_of(reader)

    found = client.get("/api/v1/stories/ranked/").json()
    few = client.get("/api/v1/stories/ranked/?limit=1").json()
    again = client.get("/api/v1/stories/ranked/?topic=agents").json()

    assert [one["title"] for one in found] == ["Wanted", "Plain"]
    assert found[0]["why"] == "topic you follow: Agents · new"
    assert set(found[0]["terms"]) == {"heat", "freshness", "interest", "likeness", "source"}
    assert [one["title"] for one in few] == [one["title"] for one in again] == ["Wanted"]


def test_feedback_follows_and_levels_are_set_shown_and_taken_back() -> None:
    reader = make_user()
    source = make_source(reader=reader)
    opened, unwanted = make_item(source, "Opened"), make_item(source, "Unwanted")
    story = make_story(opened)
    make_story(unwanted)
    client = client_of(reader)

    said = client.post("/api/v1/feedback/", {"items": [opened.pk, 7], "opened": True}, "json")
    client.post("/api/v1/feedback/", {"items": [unwanted.pk], "less": True}, "json")
    client.put(f"/api/v1/stories/{story.pk}/follow/")
    client.put("/api/v1/topics/chips/level/", {"level": "mute"}, "json")
    client.put(f"/api/v1/sources/{source.pk}/level/", {"level": "more"}, "json")
    taste = client.get("/api/v1/taste/").json()

    assert said.json() == {"changed": [opened.pk], "unknown": [7]}
    assert {one["title"]: one["done"] for one in taste["items"]} == {
        "Opened": "opened",
        "Unwanted": "less like this",
    }
    assert taste["topics"] == {"chips": "mute"}
    assert taste["sources"][0]["level"] == "more"
    assert [one["id"] for one in taste["followed_stories"]] == [story.pk]
    assert client.delete(f"/api/v1/taste/items/{opened.pk}/").status_code == 204
    assert client.delete(f"/api/v1/taste/items/{opened.pk}/").status_code == 404
    assert client.delete(f"/api/v1/stories/{story.pk}/follow/").status_code == 204
    assert client.delete("/api/v1/taste/").status_code == 204
    assert client.get("/api/v1/taste/").json()["items"] == []
    assert Subscription.objects.get().level == "normal"


def test_what_is_not_the_reader_s_or_makes_no_sense_is_refused_in_words() -> None:
    reader = make_user()
    source = make_source(reader=make_user("stranger"))
    item = make_item(source, "Secret")
    story = make_story(item)
    client = client_of(reader)

    unknown = client.post("/api/v1/feedback/", {"items": [item.pk], "opened": True}, "json")
    nothing = client.post("/api/v1/feedback/", {"items": [item.pk]}, "json")
    level = client.put("/api/v1/topics/chips/level/", {"level": "huge"}, "json")

    assert unknown.json() == {"changed": [], "unknown": [item.pk]}
    assert nothing.status_code == level.status_code == 400
    assert b"Set opened or less" in nothing.content
    assert client.put(f"/api/v1/stories/{story.pk}/follow/").status_code == 404
    assert (
        client.put(f"/api/v1/sources/{source.pk}/level/", {"level": "more"}, "json").status_code
        == 404
    )
    assert client.put("/api/v1/topics/none/level/", {"level": "more"}, "json").status_code == 404
    assert APIClient().get("/api/v1/taste/").status_code in (401, 403)
    assert not ItemState.objects.exists()
    assert not FollowedStory.objects.exists()
