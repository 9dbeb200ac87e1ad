"""The narrow rows of stories: what a reader sees of each item, and the newest of large stories."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import User
from feeds.models import Item, ItemState, Source, Story, Subscription
from feeds.stories.members import last_read, members_of
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def tell(source: Source, hours: float, **fields: Any) -> Item:
    return make_item(source, f"{hours} hours ago", published=NOW - timedelta(hours=hours), **fields)


def pks(user: User, *stories: Story, **options: Any) -> list[int]:
    fresh = Story.objects.filter(pk__in=[story.pk for story in stories])
    return [member.pk for member in members_of(user, fresh, **options)]


def test_the_state_of_items_is_that_of_this_reader() -> None:
    reader, other = make_user(), make_user("other")
    source = make_source(is_public=True)
    foreign = make_item(make_source("foreign", is_public=True), seq=1)
    Subscription.objects.create(user=other, source=source, read_up_to=10**6)
    elsewhere = make_source("elsewhere")
    Subscription.objects.create(user=reader, source=elsewhere, read_up_to=10**6)
    marked, exact, after, unread, read = (make_item(source) for _ in range(5))
    Subscription.objects.create(user=reader, source=source, read_up_to=exact.seq)
    ItemState.objects.create(user=reader, item=marked, is_saved=True)
    ItemState.objects.create(user=reader, item=exact, is_opened=True)
    ItemState.objects.create(user=reader, item=unread, is_read=False, is_hidden=True)
    ItemState.objects.create(user=reader, item=read, is_read=True)
    ItemState.objects.create(user=other, item=after, is_read=True, is_saved=True, is_opened=True)
    story = make_story(foreign, marked, exact, after, unread, read)

    rows = {member.pk: member for member in members_of(reader, [story])}

    def where(name: str) -> set[int]:
        return {pk for pk, member in rows.items() if getattr(member, name)}

    assert list(rows) == sorted(rows)
    assert len(rows) == 6
    assert where("is_read") == {marked.pk, exact.pk, read.pk}
    assert where("is_saved") == {marked.pk}
    assert where("is_opened") == {exact.pk}
    assert where("is_hidden") == {unread.pk}
    assert where("read_at") == {read.pk}
    assert rows[read.pk].read_at == ItemState.objects.get(item=read).changed_at
    assert rows[read.pk].fetched_at == read.fetched_at


def test_only_public_and_followed_sources_are_visible() -> None:
    reader, stranger = make_user(), make_user("stranger")
    public = tell(make_source("public", is_public=True), 3)
    own = tell(make_source("own", reader=reader), 2, copy_of=public.pk)
    secret = tell(make_source("secret", reader=stranger), 1)
    story, other = make_story(public, own, secret), make_story(tell(public.source, 4))

    assert pks(reader, story) == [public.pk, own.pk]
    assert pks(stranger, story) == [public.pk, secret.pk]
    assert pks(reader, story, other) == [other.pk, public.pk, own.pk]
    assert [m.copy_of for m in members_of(reader, [story])] == [None, public.pk]
    assert pks(reader) == []


def test_of_a_large_story_the_newest_items_are_read(django_assert_num_queries: Any) -> None:
    reader = make_user()
    source = make_source(reader=reader)
    items = [tell(source, hours) for hours in range(9, 0, -1)]
    large = make_story(*items)
    small = make_story(tell(source, 20), tell(source, 19))
    ItemState.objects.create(user=reader, item=items[0], is_read=True)
    ItemState.objects.update(changed_at=NOW)

    newest = [item.pk for item in items[-4:]]
    stories = Story.objects.in_bulk()
    with django_assert_num_queries(1):
        members = members_of(reader, stories.values(), most=4)
    assert [member.pk for member in members] == [*pks_of(small), items[0].pk, *newest]
    assert pks(reader, large, most=None) == [item.pk for item in items]
    assert pks(reader, large, most=9) == [item.pk for item in items]
    assert last_read(reader, [large, small], most=4) == {large.pk: NOW}
    assert last_read(reader, [large, small]) == {}
    assert last_read(make_user("other"), [large], most=4) == {}


def test_stories_of_different_weeks_are_read_together() -> None:
    reader = make_user()
    source = make_source(reader=reader)
    old, new = tell(source, 400), tell(source, 1)

    assert pks(reader, make_story(new), make_story(old)) == [old.pk, new.pk]


def pks_of(story: Story) -> list[int]:
    return list(Item.objects.filter(story=story).order_by("pk").values_list("pk", flat=True))
