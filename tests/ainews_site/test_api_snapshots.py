"""What each address of the REST API answers, word for word, in `snapshots/*.json`.

`UPDATE_SNAPSHOTS=1 pytest tests/ainews_site/test_api_snapshots.py` writes them anew; read the
difference before you commit it, as it is what programs of others will see.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from django.conf import settings
from django.test import Client

from tests.ainews_site import api_world
from tests.openapi import described, pattern_of

FOLDER = Path(__file__).parent / "snapshots"
pytestmark = pytest.mark.django_db
DAY = "2026-05-20"


class Call(NamedTuple):
    """A request. `{names}` in its path and body stand for ids of the test data."""

    method: str
    address: str
    body: Any = None
    user: str = "reader"


CALLS: dict[str, list[Call]] = {
    "sources": [
        Call("GET", "sources/"),
        Call("GET", "sources/?all=1"),
        Call("GET", "sources/?all=maybe"),
        Call("GET", "sources/{wire}/"),
        Call("GET", "sources/{private}/"),
        Call("POST", "sources/", {"url": "https://lab.example/feed", "folder": "{folder}"}),
        Call("POST", "sources/", {"url": "file:///etc/passwd"}),
        Call("POST", "sources/", {"url": "https://lab.example/feed", "folder": 7}),
        Call("POST", "sources/", {}),
        Call("PUT", "sources/{gazette}/level/", {"level": "more"}),
        Call("PUT", "sources/{gazette}/level/", {"level": "mute"}),
        Call("PUT", "sources/{catalogue}/level/", {"level": "less"}),
        Call("DELETE", "sources/{gazette}/"),
        Call("GET", "sources/", user=""),
        Call("PATCH", "sources/"),
    ],
    "items": [
        Call("GET", "items/"),
        Call("GET", "items/?limit=1"),
        Call("GET", "items/?source={wire}&topic=agents&unread=1"),
        Call("GET", "items/?folder={folder}&saved=1"),
        Call("GET", "items/?cursor=nonsense"),
        Call("GET", "items/?source=x"),
        Call("GET", "items/?unread=maybe"),
        Call("GET", "items/{deal}/"),
        Call("GET", "items/{other}/"),
    ],
    "stories": [
        Call("GET", "stories/"),
        Call("GET", "stories/?limit=1"),
        Call("GET", "stories/?topic=agents&since=2026-05-01"),
        Call("GET", "stories/?since=yesterday"),
        Call("GET", "stories/?cursor=MQ=="),
        Call("GET", "stories/{big_story}/"),
        Call("GET", "stories/7/"),
        Call("GET", "stories/{foreign_story}/"),
        Call("GET", "stories/ranked/"),
        Call("GET", "stories/ranked/?limit=1&topic=agents"),
        Call("GET", "stories/ranked/?limit=some"),
        Call("PUT", "stories/{small_story}/follow/"),
        Call("PUT", "stories/{foreign_story}/follow/"),
        Call("DELETE", "stories/{small_story}/follow/"),
    ],
    "marks": [
        Call("POST", "states/", {"items": ["{deal}", "{other}"], "read": True, "saved": False}),
        Call("POST", "states/", {"items": ["{deal}"]}),
        Call("POST", "states/", {"items": "all"}),
        Call("POST", "mark-read/", {"upto_seq": 900_303, "sources": ["{wire}"]}),
        Call("POST", "mark-read/", {"upto_seq": -1}),
        Call("POST", "undo/", {"undo": 7}),
        Call("POST", "undo/", {"undo": "{undo}"}),
    ],
    "taste": [
        Call("GET", "taste/"),
        Call("POST", "feedback/", {"items": ["{agent}", "{other}"], "less": True}),
        Call("POST", "feedback/", {"items": ["{agent}"]}),
        Call("PUT", "topics/chips/level/", {"level": "mute"}),
        Call("PUT", "topics/no-topic/level/", {"level": "mute"}),
        Call("PUT", "topics/chips/level/", {"level": "loud"}),
        Call("DELETE", "taste/items/{agent}/"),
        Call("DELETE", "taste/items/{agent}/"),
        Call("DELETE", "taste/"),
        Call("GET", "taste/"),
    ],
    "search": [
        Call("GET", "search/?q=kestrel souce:x&limit=2"),
        Call("GET", "search/?q=kestrel&page=x"),
        Call("GET", "search/"),
    ],
    "trends": [
        Call("GET", "trends/"),
        Call("GET", "trends/?limit=x"),
        Call("GET", "trends/follows/"),
        Call("POST", "trends/follows/", {"term": "#chips"}),
        Call("POST", "trends/follows/", {"term": "the"}),
        Call("POST", "trends/follows/", {"term": 7}),
        Call("DELETE", "trends/follows/{follow}/"),
        Call("DELETE", "trends/follows/{follow}/"),
    ],
    "digests": [
        Call("GET", "digest/"),
        Call("GET", "digests/"),
        Call("GET", f"digests/{DAY}/"),
        Call("GET", "digests/2026-05-19/"),
        Call("GET", "digests/?cursor=nonsense"),
        Call("POST", "digest/"),
        Call("GET", "digest/writing/"),
        Call("GET", "digest/global/"),
        Call("POST", "digest/global/"),
        Call("POST", "digest/global/", user="staff"),
        Call("GET", "digest/global/writing/"),
        Call("GET", "digests/global/"),
        Call("GET", f"digests/global/{DAY}/"),
    ],
    "channels": [
        Call("GET", "digest/channels/"),
        Call("POST", "digest/channels/", {"kind": "feed", "is_global": True}),
        Call("POST", "digest/channels/", {"kind": "slack", "target": "ftp://hooks.example/x"}),
        Call("POST", "digest/channels/", {"kind": "carrier pigeon"}),
        Call("POST", "digest/channels/", {}),
        Call("GET", "digest/channels/{channel}/"),
        Call("GET", "digest/channels/{channel}/", user="staff"),
        Call("DELETE", "digest/channels/{channel}/", user="staff"),
        Call("DELETE", "digest/channels/{channel}/"),
        Call("GET", "digest/channels/{channel}/"),
    ],
    "ask": [
        Call("GET", "ask/?q=How much did Kestrel pay for Falcon?"),
        Call("GET", "ask/?q=Who won the cup?"),
        Call("GET", "ask/"),
        Call("POST", "ask/", {"q": "How much did Kestrel pay for Falcon?"}),
        Call("POST", "ask/", []),
    ],
}
CHANGING = {"undo", "milliseconds", "next_poll_at"}
"""Keys whose values differ between runs. So does `id` of a created object."""


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    monkeypatch.setattr("django.utils.timezone.now", lambda: api_world.NOW)
    monkeypatch.setattr("ainews_site.infra.db_clock.now", lambda: api_world.NOW)
    return api_world.build()


def client_of(world: SimpleNamespace, user: str) -> Client:
    client = Client()
    if user:
        client.force_login(getattr(world, user))
    return client


def filled(text: Any, names: dict[str, Any]) -> Any:
    """Replace `{names}` by ids."""
    if isinstance(text, str):
        number = names.get(text.removeprefix("{").removesuffix("}"))
        return number if text.startswith("{") and number else text.format(**names)
    if isinstance(text, dict):
        return {key: filled(value, names) for key, value in text.items()}
    return [filled(part, names) for part in text] if isinstance(text, list) else text


def steady(answer: Any, is_new: bool) -> Any:
    """Remove values that differ between runs."""
    if isinstance(answer, list):
        return [steady(part, is_new) for part in answer]
    if not isinstance(answer, dict):
        return answer
    changing = CHANGING | ({"id"} if is_new else set())
    return {
        key: "…" if key in changing and value is not None else steady(value, is_new)
        for key, value in answer.items()
    }


def exchanges(world: SimpleNamespace, calls: list[Call]) -> Iterator[dict[str, Any]]:
    names = {name: getattr(thing, "pk", thing) for name, thing in vars(world).items()}
    for call in calls:
        response = client_of(world, call.user).generic(
            call.method,
            "/api/v1/" + filled(call.address, names),
            json.dumps(filled(call.body, names)) if call.body is not None else "",
            content_type="application/json",
        )
        answer = json.loads(response.content) if response.content else None
        if isinstance(answer, dict) and "undo" in answer:
            names["undo"] = answer["undo"]
        yield {
            "request": f"{call.method} {call.address}",
            **({"body": call.body} if call.body is not None else {}),
            **({"user": call.user} if call.user != "reader" else {}),
            "status": response.status_code,
            "answer": steady(answer, response.status_code == 201),
        }


@pytest.mark.parametrize("resource", CALLS)
def test_answers_are_those_of_the_snapshot(resource: str, world: SimpleNamespace) -> None:
    file = FOLDER / f"{resource}.json"
    found = list(exchanges(world, CALLS[resource]))

    if os.environ.get("UPDATE_SNAPSHOTS"):
        file.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")

    assert found == json.loads(file.read_text())


def test_every_operation_has_a_snapshot(world: SimpleNamespace) -> None:
    names = {name: getattr(thing, "pk", 1) for name, thing in vars(world).items()} | {"undo": 1}
    described_ones = {
        (method.upper(), path)
        for path, operations in described(settings.ROOT_URLCONF)["paths"].items()
        for method in operations
    }
    asked = {
        (call.method, pattern_of("/api/v1/" + filled(call.address, names).partition("?")[0]))
        for calls in CALLS.values()
        for call in calls
    }

    assert described_ones - asked - {("GET", "/api/v1/schema/")} == set()
