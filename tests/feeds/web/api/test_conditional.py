"""ETag and 304, as a program over HTTP sees them."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import ApiToken, User
from feeds.models import Source
from feeds.reading.marks import mark_all_read, set_state, undo_mark
from feeds.sources.subscriptions import subscribe, unsubscribe
from feeds.stories.grouping.edit import delete_items, merge_stories
from feeds.stories.grouping.group import group_new_items
from feeds.stories.grouping.refresh import refresh_stories
from feeds.web.api import conditional
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db(transaction=True)
LISTS = ["/items/", "/stories/", "/search/?q=model", "/sources/"]


def client_of(live_server: Any, user: User) -> httpx.Client:
    headers = {"Authorization": f"Bearer {ApiToken.issue(user, 'test')}"}
    return httpx.Client(base_url=f"{live_server.url}/api/v1", headers=headers, timeout=30)


@pytest.fixture
def api(live_server: Any, reader: User) -> Iterator[httpx.Client]:
    with client_of(live_server, reader) as client:
        yield client


def tag_of(api: httpx.Client, path: str) -> str:
    answer = api.get(path)
    assert answer.status_code == 200, answer.text
    return answer.headers["ETag"]


def status(api: httpx.Client, path: str, tag: str) -> int:
    return api.get(path, headers={"If-None-Match": tag}).status_code


def content(answer: httpx.Response) -> dict[str, Any]:
    return {name: value for name, value in answer.json().items() if name != "milliseconds"}


@pytest.mark.parametrize("path", LISTS)
def test_who_knows_the_answer_is_told_so_without_a_body(
    api: httpx.Client, reader: User, path: str
) -> None:
    make_story(make_item(make_source(reader=reader)))

    tag = tag_of(api, path)
    again = api.get(path, headers={"If-None-Match": f'"other", {tag}'})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == tag
    assert again.headers["Cache-Control"] == "private, no-cache"
    assert {"Authorization", "Cookie"} <= set(again.headers["Vary"].split(", "))
    assert status(api, path, '"nonsense"') == 200


@pytest.mark.parametrize("path", LISTS)
def test_another_reader_or_another_address_has_another_tag(
    api: httpx.Client, live_server: Any, reader: User, path: str
) -> None:
    make_item(make_source(reader=reader))
    tag = tag_of(api, path)

    with client_of(live_server, make_user("other")) as other:
        assert status(other, path, tag) == 200
    assert status(api, f"{path}{'&' if '?' in path else '?'}limit=1", tag) == 200


def test_what_the_reader_does_is_in_the_next_answer(api: httpx.Client, reader: User) -> None:
    source, other = make_source(reader=reader), make_source("other", is_public=True)
    item = make_item(source)
    undo: list[int] = []
    actions = [
        lambda: set_state(reader, [item.pk], read=True),
        lambda: set_state(reader, [item.pk], saved=True),
        lambda: undo.append(mark_all_read(reader, None, item.seq).pk),
        lambda: undo_mark(reader, undo[0]),
        lambda: subscribe(reader, other),
        lambda: unsubscribe(reader, source),
    ]
    for action in actions:
        tags = {path: tag_of(api, path) for path in LISTS}
        assert {path: status(api, path, tag) for path, tag in tags.items()} == dict.fromkeys(
            LISTS, 304
        )
        action()
        assert [status(api, path, tags[path]) for path in LISTS[:3]] == [200] * 3


def test_what_the_program_itself_writes_is_in_the_next_answer(
    api: httpx.Client, reader: User
) -> None:
    item = make_item(make_source(reader=reader))
    tag = tag_of(api, "/items/")

    api.post("/states/", json={"items": [item.pk], "saved": True})
    answer = api.get("/items/", headers={"If-None-Match": tag})

    assert answer.status_code == 200
    assert answer.json()["results"][0]["is_saved"] is True


def test_news_and_what_is_done_to_them_change_the_tag(api: httpx.Client, reader: User) -> None:
    source = make_source(reader=reader)
    first = make_item(source, "A kestrel model")
    make_story(first)

    def come() -> None:
        make_item(source, "A heron dataset")

    def correct() -> None:
        type(first).objects.filter(pk=first.pk).update(title="Corrected")
        refresh_stories([first.pk])

    def merge() -> None:
        one, *others = {item.story for item in source.items.select_related("story")}
        assert one
        merge_stories(one, [other for other in others if other])

    for event in (come, group_new_items, correct, merge, lambda: delete_items([first])):
        before = {path: api.get(path) for path in LISTS[:3]}
        event()
        for path, old in before.items():
            new = api.get(path, headers={"If-None-Match": old.headers["ETag"]})
            assert new.status_code == 304 or content(new) != content(old)
            assert content(api.get(path)) == content(old if new.status_code == 304 else new)


@pytest.mark.parametrize("path", [*LISTS, "/stories/ranked/"])
def test_private_items_of_others_change_no_tag(api: httpx.Client, reader: User, path: str) -> None:
    make_story(make_item(make_source(reader=reader)))
    theirs = make_source("theirs", reader=make_user("other"))
    first = make_item(theirs, "A model of their own")

    def correct() -> None:
        type(first).objects.filter(pk=first.pk).update(title="Corrected")
        refresh_stories([first.story_id or first.pk])

    events = [lambda: make_item(theirs, "Another model"), group_new_items, correct]
    for event in (*events, lambda: delete_items([first])):
        answer = api.get(path)
        event()
        again = api.get(path, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.headers["ETag"]) == (304, answer.headers["ETag"])


def test_sources_change_with_each_poll(api: httpx.Client, reader: User) -> None:
    source = make_source(reader=reader)
    tag = tag_of(api, "/sources/")

    Source.objects.filter(pk=source.pk).update(failures=1, error="It does not answer.")

    assert status(api, "/sources/", tag) == 200


def test_what_no_number_tells_of_is_told_after_an_hour(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = tag_of(api, "/items/")
    monkeypatch.setattr(conditional.time, "time", lambda: 7_200_000_000.0)

    assert status(api, "/items/", tag) == 200


def test_a_known_answer_costs_no_more_than_finding_that_out(client: Any, reader: User) -> None:
    source = make_source(reader=reader)
    for _ in range(30):
        make_story(make_item(source))
    client.force_login(reader)
    tag = client.get("/api/v1/items/").headers["ETag"]
    assert client.get("/api/v1/items/", headers={"If-None-Match": tag}).status_code == 304

    with CaptureQueriesContext(connection) as queries:
        answer = client.get("/api/v1/items/", headers={"If-None-Match": tag})

    assert answer.status_code == 304
    assert len(queries) <= 3  # session, reader, news
