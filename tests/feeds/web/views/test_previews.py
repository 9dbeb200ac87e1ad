"""One reader's previews of feeds are few, and are refused in words."""

from typing import Any

import pytest
from django.test import Client

from accounts.refusals import refusals
from feeds.sources.discover import Discovery
from feeds.web.views import sources
from tests.make import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(sources, "discover", lambda url: Discovery(url, ()))
    client = Client()
    client.force_login(make_user())
    return client


def preview(client: Client) -> Any:
    return client.post("/sources/add/", {"url": "https://lab.example/"})


def test_previews_without_a_pause_are_refused(client: Client) -> None:
    statuses = [preview(client).status_code for _ in range(6)]

    assert statuses == [200] * 5 + [429]
    refusals.clear()
    refused = preview(client)
    assert "Too many previews and imports. Try again in " in refused.content.decode()
    assert int(refused.headers["Retry-After"]) in range(1, 6)
    assert client.get("/sources/add/").status_code == 200
