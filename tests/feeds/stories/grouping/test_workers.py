"""After a repair the stories are the same, by whomever and in what order items were taken in."""

import json
import os
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feeds.demo.edition import make_edition
from tests.workers import migrate

ROOT = Path(__file__).resolve().parents[4]
NOW = datetime.now(UTC).replace(microsecond=0)
HELPER = """
import json, sys, django
django.setup()
from datetime import datetime
from django.db import transaction
from feeds.models import Item, Source
from feeds.stories.grouping.group import group_new_items
from feeds.stories.grouping.repair import repair_stories
from tests.make import make_item

def store_and_group(rows):
    "Groups every few items, as polls do, while others do so too."
    for number, (outlet, url, title, text, moment) in enumerate(rows):
        source = Source.objects.get(url=outlet)
        published = datetime.fromisoformat(moment)
        with transaction.atomic():  # it numbers by counting
            make_item(source, title, text=text, url=url, published=published)
        if number % 7 == 6:
            group_new_items()
    group_new_items()

def stories():
    while Item.objects.filter(story=None).exists():
        group_new_items()
    repair_stories()
    found = {}
    for story, url in Item.objects.values_list("story", "url"):
        found.setdefault(story, []).append(url)
    return sorted(sorted(urls) for urls in found.values())

def sources(outlets):
    for outlet in outlets:
        Source.objects.create(url=outlet)

request = json.load(sys.stdin)
json.dump(globals()[request[0]](*request[1:]), sys.stdout)
"""


def start(data: Path, *request: object, **settings: str) -> "subprocess.Popen[str]":
    environment = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL")}
    environment |= {"DATA": str(data), "DJANGO_SETTINGS_MODULE": "ainews_site.settings"} | settings
    process = subprocess.Popen(
        [sys.executable, "-c", HELPER],
        cwd=ROOT,
        env=environment | {"LOG_LEVEL": "ERROR"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(request))
    process.stdin.close()
    return process


def ask(data: Path, *request: object, **settings: str) -> object:
    process = start(data, *request, **settings)
    assert process.stdout is not None
    said = process.stdout.read()
    assert process.wait() == 0
    return json.loads(said)


def grouped(data: Path, rows: list[list[str]], workers: int, **settings: str) -> object:
    data.mkdir()
    migrate({"DATA": str(data), "DATABASE_URL": ""})
    ask(data, "sources", sorted({row[0] for row in rows}))
    running = [start(data, "store_and_group", rows[n::workers], **settings) for n in range(workers)]
    assert [process.wait() for process in running] == [0] * workers
    return ask(data, "stories", **settings)


@pytest.mark.slow
@pytest.mark.parametrize("embeddings", ["none", "onnx"])
def test_one_worker_and_four_in_another_order_make_the_same_stories(
    tmp_path: Path, embeddings: str
) -> None:
    recent = [one for one in make_edition(NOW) if one.published > NOW - timedelta(hours=70)]
    rows = [
        [
            f"https://{one.outlet}.example/feed",
            f"https://{one.outlet}.example{one.path}",
            one.versions[0].title,
            " ".join(one.versions[0].paragraphs)[:600],
            one.published.isoformat(),
        ]
        for one in recent
    ]
    assert len(rows) > 100

    one = grouped(tmp_path / "one", rows, 1, EMBEDDINGS=embeddings)
    turned = random.Random(3).sample(rows, len(rows))
    four = grouped(tmp_path / "four", turned, 4, EMBEDDINGS=embeddings)

    assert one == four
    assert max(len(urls) for urls in one) > 2  # type: ignore[attr-defined]
