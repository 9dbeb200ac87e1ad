"""The REST API as a client uses it."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import ApiToken, User
from feeds.models import Folder, Source, Story, StoryRedirect
from feeds.web.api import stories
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db
API = "/api/v1"


@pytest.fixture
def api(reader: User) -> Client:
    token = ApiToken.issue(reader, "test")
    return Client(headers={"authorization": f"Bearer {token}"})


def get(api: Client, path: str, status: int = 200) -> Any:
    answer = api.get(API + path)
    assert answer.status_code == status, answer.content
    return answer.json()


def post(api: Client, path: str, data: Any, status: int = 200) -> Any:
    answer = api.post(API + path, data, content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json() if answer.content else None


@pytest.mark.parametrize("path", ["/sources/", "/items/", "/stories/", "/search/?q=x", "/digest/"])
def test_nobody_reads_without_a_token(path: str) -> None:
    for client in (Client(), Client(headers={"authorization": "Bearer ain_wrong"})):
        answer = client.get(API + path)
        assert answer.status_code == 401
        assert answer.json()["detail"]


def test_a_session_works_too(reader: User) -> None:
    page = Client()
    page.force_login(reader)
    assert page.get(f"{API}/sources/").status_code == 200


def test_sources_are_listed_added_and_left(api: Client, reader: User) -> None:
    make_source("catalogue", is_public=True)
    make_source("foreign", reader=make_user("other"))
    folder = Folder.objects.create(user=reader, name="Labs")
    wanted = {"url": "https://lab.example/feed", "title": "Lab", "folder": folder.pk}
    added = post(api, "/sources/", wanted, 201)
    assert (added["title"], added["state"], added["folder"]) == ("Lab", "new", folder.pk)
    assert [one["title"] for one in get(api, "/sources/")] == ["Lab"]
    assert {one["title"] for one in get(api, "/sources/?all=1")} == {"Lab", "Catalogue"}
    assert api.delete(f"{API}/sources/{added['id']}/").status_code == 204
    assert get(api, "/sources/") == []


def test_a_bad_source_is_refused_in_words(api: Client) -> None:
    assert "not a feed address" in post(api, "/sources/", {"url": "file:///etc/passwd"}, 400)["url"]
    foreign = Folder.objects.create(user=make_user("other"), name="Theirs")
    wanted = {"url": "https://lab.example/feed", "folder": foreign.pk}
    assert post(api, "/sources/", wanted, 400) == {"folder": "You have no folder with this id."}
    assert not Source.objects.exists()


def test_items_page_by_cursor_and_narrow_by_filters(api: Client, reader: User) -> None:
    source, other = make_source("one", reader=reader), make_source("two", reader=reader)
    for number in range(5):
        make_item(source, f"Item {number}", published=timezone.now() - timedelta(hours=number + 1))
    make_item(other, "Other", topics=["agents"], published=timezone.now() - timedelta(days=3))
    first = get(api, "/items/?limit=4")
    assert [item["title"] for item in first["results"]] == [f"Item {n}" for n in range(4)]
    rest = api.get(first["next"]).json()
    assert [item["title"] for item in rest["results"]] == ["Item 4", "Other"]
    assert rest["next"] is None
    assert [i["title"] for i in get(api, f"/items/?source={other.pk}")["results"]] == ["Other"]
    assert [i["title"] for i in get(api, "/items/?topic=agents")["results"]] == ["Other"]


def test_an_item_comes_with_its_body(api: Client, reader: User) -> None:
    item = make_item(make_source(reader=reader), "Title", text="Body")
    found = get(api, f"/items/{item.pk}/")
    assert (found["html"], found["text"], found["is_read"]) == ("<p>Body</p>", "Body", False)


def test_states_and_marks_are_set_and_taken_back(api: Client, reader: User) -> None:
    source = make_source(reader=reader)
    items = [make_item(source) for _ in range(3)]
    foreign = make_item(make_source("foreign", reader=make_user("other")))
    wanted = {"items": [items[0].pk, foreign.pk], "saved": True, "read": True}
    assert post(api, "/states/", wanted) == {"changed": [items[0].pk], "unknown": [foreign.pk]}
    assert [i["id"] for i in get(api, "/items/?saved=1")["results"]] == [items[0].pk]
    assert len(get(api, "/items/?unread=1")["results"]) == 2
    undo = post(api, "/mark-read/", {"upto_seq": items[-1].seq})
    assert get(api, "/items/?unread=1")["results"] == []
    post(api, "/undo/", undo, 204)
    assert len(get(api, "/items/?unread=1")["results"]) == 2
    post(api, "/undo/", undo, 404)
    assert "Set read, saved or hidden" in str(post(api, "/states/", {"items": [1]}, 400))


def test_stories_are_listed_and_shown_with_their_coverage(api: Client, reader: User) -> None:
    one, two = make_source("one", reader=reader), make_source("two", reader=reader)
    story = make_story(make_item(one, "Lead"), make_item(two, "Also"))
    make_story(make_item(one, "Later"))
    first = get(api, "/stories/?limit=1")
    second = api.get(first["next"]).json()
    assert {s["title"] for s in first["results"] + second["results"]} == {"Lead", "Later"}
    found = get(api, f"/stories/{story.pk}/")
    assert [item["title"] for item in found["coverage"]] == ["Lead", "Also"]
    StoryRedirect.objects.create(old_id=7, story=story)
    assert get(api, "/stories/7/")["id"] == story.pk


def test_readers_are_strangers_to_each_other(api: Client, reader: User) -> None:
    private = make_source("private", reader=make_user("other"))
    mine = make_source("mine", reader=reader)
    secret = make_item(private, "Secret plan of a company")
    story = make_story(secret, make_item(mine, "Public plan"))
    hidden = make_story(make_item(private, "Only theirs"))
    for path in (f"/sources/{private.pk}/", f"/items/{secret.pk}/", f"/stories/{hidden.pk}/"):
        assert get(api, path, 404)["detail"]
    (shown,) = get(api, "/stories/")["results"]
    assert (shown["title"], shown["source_count"]) == ("Public plan", 1)
    assert "Secret" not in str(get(api, f"/stories/{story.pk}/"))
    assert get(api, "/search/?q=secret")["results"] == []
    assert get(api, f"/items/?source={private.pk}")["results"] == []


def test_others_private_tellings_change_nothing_of_a_story(api: Client, reader: User) -> None:
    theirs = make_source("private", reader=make_user("other"))
    now = timezone.now()
    mine = make_item(
        make_source("mine", reader=reader), published=now - timedelta(hours=5), topics=["agents"]
    )
    secret = make_item(theirs, published=now - timedelta(hours=1), topics=["chips"])
    early = make_item(theirs, published=now - timedelta(hours=9), topics=["chips"])
    make_story(mine, secret, early, topics=["chips", "agents"])

    (shown,) = get(api, "/stories/")["results"]

    assert shown["topics"] == ["agents"]
    (own,) = get(api, "/items/")["results"]
    assert shown["first_at"] == shown["last_at"] == own["published_at"]
    assert get(api, "/stories/?topic=chips")["results"] == []
    since = (now - timedelta(hours=2)).isoformat()
    assert api.get(f"{API}/stories/", {"since": since}).json()["results"] == []


def test_a_copy_does_not_name_an_original_that_others_alone_see(api: Client, reader: User) -> None:
    mine = make_source("mine", reader=reader)
    secret = make_item(make_source("private", reader=make_user("other")), "A secret letter")
    known = make_item(mine, "A letter")
    of_secret = make_item(mine, "A secret letter", copy_of=secret.pk)
    of_known = make_item(mine, "A letter again", copy_of=known.pk)

    listed = {one["id"]: one["copy_of"] for one in get(api, "/items/")["results"]}
    found = get(api, "/search/?q=secret")["results"]

    assert listed == {known.pk: None, of_secret.pk: None, of_known.pk: known.pk}
    assert [one["copy_of"] for one in found] == [None]
    assert get(api, f"/items/{of_secret.pk}/")["copy_of"] is None


def test_search_marks_matches_and_says_problems(api: Client, reader: User) -> None:
    make_item(make_source(reader=reader), "A kestrel")
    found = get(api, "/search/?q=kestrel souce:x")
    assert "did you mean source:" in found["problems"][0]
    assert get(api, "/search/?q=kestrel")["results"][0]["marked_title"] == (
        "A <mark>kestrel</mark>"
    )
    assert get(api, "/search/", 400)["q"]


def test_todays_digest_is_there(api: Client, reader: User) -> None:
    make_story(make_item(make_source(reader=reader), "News", text="Something happened today."))
    assert get(api, "/digest/")["content"]["stories"]


@pytest.mark.parametrize(
    "path",
    [
        "/items/?cursor=nonsense",
        "/items/?source=x",
        "/items/?unread=maybe",
        "/items/?limit=-1",
        "/stories/?since=yesterday",
        "/stories/?cursor=MQ==",
        "/stories/?cursor=NDYxMTY4NjAxODQyNzM4NzkwMy4x",  # the year 148,098
        "/stories/?since=0001-01-01T00:00:00%2B14:00",
        "/stories/?since=9999-12-31T23:59:59-14:00",
        "/search/?q=x&page=x",
    ],
)
def test_bad_parameters_are_said(api: Client, path: str) -> None:
    assert get(api, path, 400)


def test_a_merged_story_answers_as_the_other_without_a_redirect_to_cache(
    api: Client, reader: User
) -> None:
    story = make_story(make_item(make_source(reader=reader)))
    StoryRedirect.objects.create(old_id=5, story=story)
    assert get(api, "/stories/5/", 200)["id"] == story.pk


def test_ids_beyond_all_bounds_are_not_there(api: Client) -> None:
    for kind in ("items", "stories", "sources"):
        get(api, f"/{kind}/{10**30}/", 404)
    post(api, "/states/", {"items": [10**30, -1], "read": True})
    post(api, "/mark-read/", {"upto_seq": 1, "sources": [10**30]}, 400)
    post(api, "/mark-read/", {"upto_seq": 1, "sources": [1] * 20_000}, 400)


def test_the_number_of_queries_does_not_depend_on_the_rows(api: Client, reader: User) -> None:
    paths = ("/sources/", "/items/", "/stories/", "/search/?q=model")
    counts = []
    for number in (1, 1, 12):  # the first also reads and notes what is read or noted once a minute
        for n in range(number):
            make_story(make_item(make_source(f"s{len(counts)}-{n}", reader=reader)))
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            for path in paths:
                get(api, path)
        counts.append(len(queries))
    assert counts[1] == counts[2] <= 36


def test_the_schema_is_whole() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", "/dev/null")


@pytest.mark.parametrize("every", [1, 2, 7])
def test_stories_of_the_reader_s_sources_are_found_among_many_others(
    api: Client, reader: User, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few readers follow so little that the latest stories have few of theirs."""
    monkeypatch.setattr(stories, "LOOK_AHEAD", 5)
    own, other = make_source("own", reader=reader), make_source("other", is_public=True)
    wanted = []
    for n in range(21):
        story = make_story(make_item(own if n % every == 0 else other, f"News {n}"))
        wanted += [story.pk] if n % every == 0 else []
    expected = sorted(wanted, reverse=True)
    expected.sort(key=lambda pk: Story.objects.get(pk=pk).last_at, reverse=True)

    pages, address = [], "/stories/?limit=2"
    while address:
        answer = get(api, address, 200)
        assert len(answer["results"]) <= 2
        pages += [story["id"] for story in answer["results"]]
        address = (answer["next"] or "").partition("/api/v1")[2]

    assert pages == expected


def test_of_a_large_story_the_list_reads_the_newest_items_and_the_lead(
    api: Client, reader: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stories, "MAX_MEMBERS", 3)
    now = timezone.now()
    sources = [make_source(f"s{n}", reader=reader) for n in range(2)]
    items = [
        make_item(sources[n % 2], f"News {n}", published=now - timedelta(hours=9 - n))
        for n in range(7)
    ]
    make_story(*items)
    read = count_articles(monkeypatch)

    (shown,) = get(api, "/stories/")["results"]

    assert (shown["item_count"], shown["source_count"]) == (7, 2)
    assert (shown["first_at"], shown["last_at"]) == tuple(
        get(api, f"/items/{item.pk}/")["published_at"] for item in (items[0], items[-1])
    )
    assert read == [4]


def test_of_a_large_story_whose_lead_is_hidden_the_list_counts_what_the_reader_sees(
    api: Client, reader: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stories, "MAX_MEMBERS", 2)
    theirs = make_source("theirs", reader=make_user("other"))
    mine = make_source("mine", reader=reader)
    lead = make_item(theirs, "Secret")
    make_story(lead, *(make_item(theirs) for _ in range(3)), make_item(mine, "Own"), lead=lead)

    (shown,) = get(api, "/stories/")["results"]

    assert (shown["title"], shown["item_count"], shown["source_count"]) == ("Own", 1, 1)


def count_articles(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the articles that the list of stories reads with each query."""
    counts: list[int] = []
    read = stories._read

    def counting(*values: Any) -> Any:
        found, articles = read(*values)
        counts.append(sum(map(len, articles.values())))
        return found, articles

    monkeypatch.setattr(stories, "_read", counting)
    return counts


def test_the_latest_stories_are_searched_by_the_index_of_their_time() -> None:
    query = stories._LATEST.format("") % 10
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
        explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
        cursor.execute(f"{explain} {query}")
        plan = str(cursor.fetchall())
    assert "last_at" in plan and "::text) DESC" not in plan
