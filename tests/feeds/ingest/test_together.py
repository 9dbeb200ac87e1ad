"""Users change many sources while workers write the results of polls."""

import threading

import pytest
from django.conf import LazySettings
from django.db import connection

from feeds.ingest.poll import poll_sources
from feeds.models import Source
from tests.feeds.ingest.server import reply, serve
from tests.make import make_source

FEED = b"<rss version='2.0'><channel><title>T</title></channel></rss>"
ROUNDS = 15


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_concurrent_changes_of_many_sources_do_not_deadlock(settings: LazySettings) -> None:
    settings.FETCH_ALLOW_PRIVATE = ["127.0.0.1"]
    settings.FETCH_HOST_PAUSE = 0
    polled = threading.Event()
    errors: list[Exception] = []

    def change() -> None:
        try:
            while not polled.is_set():
                for order in ("pk", "-pk"):
                    Source.objects.order_by(order).change(weight=1.0)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    with serve({f"/{n}": reply(200, FEED) for n in range(40)}) as server:
        pks = [make_source(url=f"{server.url}/{n}").pk for n in reversed(range(40))]
        people = [threading.Thread(target=change) for _ in range(2)]
        for person in people:
            person.start()
        try:
            for _ in range(ROUNDS):
                while not (report := poll_sources(pks)).outcomes:
                    pass  # all were locked for a moment: they stay due
                assert not report.failed
        finally:
            polled.set()
            for person in people:
                person.join()
    assert not errors
