"""A change of existing content bumps a revision in the same transaction."""

import threading
import time
from collections.abc import Callable

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from rest_framework.test import APIClient

from accounts.models import ApiToken
from feeds.coordination.revisions import CONTENT, GROUPING, bump_revision, news_for
from feeds.models import Item, Story
from feeds.search.popular import Search
from feeds.search.query.parser import parse_query
from feeds.sources.catalogue import load_catalogue
from feeds.stories.grouping.edit import delete_stories, merge_stories
from feeds.stories.grouping.lease import invalidate_grouping
from tests.make import make_item, make_source, make_story, make_user


@pytest.mark.django_db
def test_deleting_a_story_and_naming_a_source_bump_a_revision() -> None:
    user = make_user()
    source = make_source("outlet", title="", reader=user)
    story = make_story(make_item(source), make_item(source))
    seen = [news_for(user)]

    delete_stories([story])
    seen.append(news_for(user))
    load_catalogue([{"url": source.url, "title": "The Outlet", "pack": "labs"}])
    seen.append(news_for(user))

    assert not Story.objects.exists()
    assert Item.objects.filter(story=None).count() == 2
    assert len({one.content for one in seen}) == 3
    assert seen[1].grouping != seen[0].grouping


@pytest.mark.django_db
def test_a_stale_response_gets_no_etag() -> None:
    user = make_user()
    source = make_source(reader=user)
    make_item(source, "Otter one")
    client = APIClient(headers={"Authorization": f"Bearer {ApiToken.issue(user, 'test')}"})
    address = "/api/v1/search/?q=otter"
    assert client.get(address).json()["found"] == 1
    make_item(source, "Otter two")
    key = Search(user, "otter", parse_query("otter"))._key
    cache.add(f"{key}:claim", 1, 30)  # as a process that computes it has

    meanwhile = client.get(address)
    cache.delete(f"{key}:claim")
    after = client.get(address, headers={"If-None-Match": meanwhile.headers.get("ETag", "x")})

    assert meanwhile.json()["found"] == 1
    assert "ETag" not in meanwhile.headers
    assert (after.status_code, after.json()["found"]) == (200, 2)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")
@pytest.mark.django_db(transaction=True)
def test_merging_and_correcting_do_not_deadlock() -> None:
    source = make_source()
    one, two = make_story(make_item(source)), make_story(make_item(source))
    problems: list[Exception] = []

    def slowly() -> None:
        with transaction.atomic():
            invalidate_grouping()  # as merging begins
            time.sleep(0.5)
            merge_stories(one, [two])

    def meanwhile() -> None:
        time.sleep(0.2)
        bump_revision(CONTENT, GROUPING)

    def run(act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:
            problems.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(act,)) for act in (slowly, meanwhile)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert problems == []
