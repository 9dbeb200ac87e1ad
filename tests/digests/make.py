"""Make real editions and channels for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from accounts.models import User
from digests.editions.write import write_digest
from digests.models import Channel, Digest
from tests.make import make_item, make_source, make_story, make_user

TEXT = "The lab published a model of seven billion weights on Wednesday. More follows."


def make_edition(
    reader: User | None, *titles: str, now: datetime | None = None, text: str = TEXT
) -> Digest:
    """An edition of a story a title, each from a source of its own."""
    now = now or timezone.now()
    for title in titles or ("A lab publishes a model",):
        name = f"outlet{abs(hash((title, now)))}"
        source = make_source(name, reader=reader, is_public=reader is None)
        make_story(make_item(source, title, text=text, published=now - timedelta(hours=2)))
    return write_digest(reader, now=now)


def make_reader(username: str = "reader", **overrides: Any) -> User:
    """One who was here before any edition of these tests was due."""
    joined = datetime(2020, 1, 1, tzinfo=UTC)
    return make_user(username, **({"date_joined": joined, "digest_hour": 0} | overrides))


def make_channel(reader: User, kind: str, target: str = "", **overrides: Any) -> Channel:
    return Channel.objects.create(user=reader, kind=kind, target=target, **overrides)
