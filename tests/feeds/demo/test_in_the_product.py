"""The sample newsroom, read by the product as `make demo` does."""

from urllib.parse import urlsplit

import pytest
from django.conf import LazySettings
from django.utils import timezone

from ainews_site.management.commands.start import ingest_all, load_sources
from feeds.demo.catalogue import catalogue_entries, former_url
from feeds.demo.server import Newsroom
from feeds.evaluation.stories import b_cubed
from feeds.ingest.pipeline import ingest_sources
from feeds.models import Item, Source, Story, Subscription
from feeds.stories.grouping.repair import repair_backfill
from feeds.trends.update import update_trends
from tests.make import make_user, public_trends

pytestmark = pytest.mark.django_db


def test_a_first_poll_brings_stories_of_many_hosts_and_a_trend(settings: LazySettings) -> None:
    with Newsroom() as newsroom:
        settings.FETCH_ALLOW_PRIVATE = ["127.0.0.1"]
        settings.FETCH_PORTS = [str(newsroom.port)]
        for entry in catalogue_entries(newsroom.port):
            Source.objects.create(is_public=True, **entry)
        report = ingest_sources(Source.objects.values_list("pk", flat=True))
        repair_backfill()
        update_trends()

    urls, stories = zip(*Item.objects.values_list("url", "story"), strict=True)
    events = [urlsplit(url).path.split("/")[1] for url in urls]  # of the stream; else the slug
    hosts = {urlsplit(url).hostname for url in urls}
    wide = Story.objects.filter(source_count__gte=3)
    trends = public_trends(timezone.now())
    assert report.new > 2_000
    assert len(hosts) >= 28
    assert all(host and host.endswith(".localhost") for host in hosts)
    assert wide.count() > 100
    assert b_cubed(events, stories).precision > 0.7
    assert trends
    assert all(trend.sources >= 3 and trend.stories >= 3 for trend in trends)


def test_without_leave_to_fetch_from_loopback_nothing_is_fetched(settings: LazySettings) -> None:
    settings.FETCH_ALLOW_PRIVATE, settings.FETCH_PORTS = [], ["8765"]
    entry = catalogue_entries(8765)[0]
    source = Source.objects.create(is_public=True, **entry)

    ingest_sources([source.pk])

    source.refresh_from_db()
    assert "private address" in source.error
    assert not Item.objects.exists()


def test_a_database_of_an_earlier_release_follows_to_the_hosts() -> None:
    reader = make_user("ada")
    entries = catalogue_entries(8765)
    for entry in entries:
        source = Source.objects.create(url=former_url(entry["url"]), is_public=True)
        Subscription.objects.create(user=reader, source=source)

    for _ in range(2):  # at each start
        load_sources(reader, 8765)

    followed = Source.objects.filter(subscriptions__user=reader).values_list("url", flat=True)
    assert sorted(followed) == sorted(entry["url"] for entry in entries)
    assert former_url(entries[0]["url"]) == "http://127.0.0.1:8765/harbor-wire/feed.xml"


@pytest.mark.django_db(transaction=True)  # `ingest_all` closes its connection
def test_a_former_address_is_not_polled_beside_its_successor(settings: LazySettings) -> None:
    with Newsroom() as newsroom:
        settings.FETCH_ALLOW_PRIVATE = ["127.0.0.1"]
        settings.FETCH_PORTS = [str(newsroom.port)]
        entry = catalogue_entries(newsroom.port)[0]
        Source.objects.create(is_public=True, **entry)
        gone = Source.Status.GONE
        former = Source.objects.create(url=former_url(entry["url"]), status=gone)
        ingest_all()

    assert Item.objects.exists()
    assert not Item.objects.filter(source=former).exists()
