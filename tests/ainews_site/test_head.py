"""Every page that answers GET answers HEAD: the same headers, no body, and nothing is written."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts.models import User
from digests.channels.links import FEED, token_for
from digests.models import Channel
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db


WRITES = ("INSERT", "UPDATE", "DELETE")


def addresses(patterns: list[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the URL names of the site, with the converters of their arguments."""
    for one in patterns:
        if isinstance(one, URLResolver) and one.namespace is None:
            yield from addresses(one.url_patterns)
        elif isinstance(one, URLPattern) and one.name:
            yield one.name, one.pattern.converters


@pytest.fixture
def reader() -> User:
    user = make_user(is_staff=True)
    make_story(make_item(make_source(reader=user), "A lab publishes a model"))
    Channel.objects.create(user=user, kind="feed")
    return user


def arguments(name: str, converters: dict[str, Any], reader: User) -> dict[str, Any]:
    """Return arguments, which point to existing objects where that is easy."""
    item = reader.subscriptions.get().source.items.get()
    channel = reader.channels.get()
    known = {"pk": {"source": item.source_id, "api_source": item.source_id}.get(name, item.pk)}
    known |= {"day": date(2026, 1, 1), "year": 2026, "month": 1, "topic": "agents", "term": "model"}
    known["token"] = token_for(channel, FEED)
    return {key: known[key] for key in converters}


def test_every_page_that_answers_get_answers_head(reader: User) -> None:
    client = Client()
    client.force_login(reader)
    seen = []
    for name, converters in addresses(get_resolver().url_patterns):
        address = reverse(name, kwargs=arguments(name, converters, reader))
        got = client.get(address)
        if name == "signin_token" or got.status_code == 405:  # a link is not to be used up
            continue
        head = client.head(address)
        assert head.status_code == got.status_code, address
        assert head.content == b"", address
        seen.append(name)

    assert {"stories", "river", "item", "story", "digest", "preferences", "health"} <= {*seen}
    assert len(seen) > 40


def test_head_does_not_mark_an_item_as_opened(reader: User) -> None:
    client = Client()
    client.force_login(reader)
    item = reader.subscriptions.get().source.items.get()
    for name, kwargs in (("item", {"pk": item.pk}), ("story", {"pk": item.pk}), ("stories", {})):
        with CaptureQueriesContext(connection) as queries:
            client.head(reverse(name, kwargs=kwargs))
        assert [one["sql"] for one in queries if one["sql"].startswith(WRITES)] == []
