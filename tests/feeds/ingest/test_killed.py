"""A poll that is killed at any point: afterwards every item is stored once."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from django.conf import settings

from tests.feeds.ingest.server import reply, serve
from tests.workers import migrate

FEEDS, ENTRIES, KILLS = 30, 40, 6
SCRIPT = """
import sys, django
django.setup()
from feeds.models import Source
from feeds.ingest.poll import poll_sources
urls = sys.argv[1:]
for url in urls:
    Source.objects.get_or_create(url=url)
print("ready", flush=True)
poll_sources(Source.objects.values_list("pk", flat=True))
"""


def feed(number: int) -> bytes:
    items = "".join(
        f"<item><title>Entry {n} of {number}</title><link>https://o{number}.example/{n}</link>"
        f"<guid>{n}</guid><description>{'words ' * 200}</description></item>"
        for n in range(ENTRIES)
    )
    return f"<rss version='2.0'><channel><title>{number}</title>{items}</channel></rss>".encode()


def environment(data: Path) -> dict[str, str]:
    return os.environ | {
        "DATA": str(data),
        "DATABASE_URL": "",
        "DJANGO_SETTINGS_MODULE": "ainews_site.settings",
        "FETCH_ALLOW_PRIVATE": "127.0.0.1",
    }


def start(data: Path, urls: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *urls],
        env=environment(data),
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        text=True,
    )


def count(database: Path, query: str) -> int:
    with sqlite3.connect(database) as connection:
        return int(connection.execute(query).fetchone()[0])


def test_each_item_is_stored_once_despite_kills_at_random_moments(tmp_path: Path) -> None:
    migrate(environment(tmp_path))
    database = tmp_path / "ainews.sqlite3"
    chance = random.Random(7)
    with serve({f"/{n}": reply(200, feed(n)) for n in range(FEEDS)}) as server:
        urls = [f"{server.url}/{n}" for n in range(FEEDS)]
        for _ in range(KILLS):
            process = start(data := tmp_path, urls)
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0.01, 0.35))
            process.send_signal(signal.SIGKILL)
            process.wait()
            with sqlite3.connect(database) as connection:  # as if the leases had run out
                connection.execute("UPDATE feeds_source SET lease_until = NULL")
        survivor = start(data, urls)
        assert survivor.wait(60) == 0
    once = "SELECT count(DISTINCT source_id || ' ' || url) FROM feeds_item"
    assert count(database, once) == FEEDS * ENTRIES
    assert count(database, "SELECT count(*) FROM feeds_item") == FEEDS * ENTRIES
    assert count(database, "SELECT count(*) FROM feeds_itembody") == FEEDS * ENTRIES
    assert count(database, "SELECT count(*) FROM feeds_itemkey") == FEEDS * ENTRIES
    joined = "SELECT count(*) FROM feeds_itemkey k JOIN feeds_item i ON i.id = k.item_id"
    assert count(database, f"{joined} AND i.seq = k.seq") == FEEDS * ENTRIES
