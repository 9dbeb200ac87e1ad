"""Chaos loses nothing, and its invariants notice what is lost."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.chaos.faults import FAULTS
from benchmarks.chaos.invariants import (
    acknowledged_writes_are_there,
    items_are_those_served,
    no_lease_is_left,
    stories_are_consistent,
)
from benchmarks.chaos.readers import Reader
from feeds.coordination.lease import lease
from feeds.models import Item
from feeds.reading.marks import set_state
from feeds.stories.grouping.group import group_new_items
from tests.make import make_item, make_source, make_user
from tests.services import missing
from tests.workers import Outlets

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.django_db
def test_lost_and_doubled_items_are_noticed() -> None:
    source = make_source()
    for number in (1, 2, 2):
        make_item(source, url=f"https://o.example/{number}")
    outlets = Outlets(1, entries={"/a": [f"<link>https://o.example/{n}</link>" for n in (1, 2, 3)]})

    problems = items_are_those_served(outlets)

    assert problems == [
        "1 lost items, such as https://o.example/3",
        "1 doubled items, such as https://o.example/2",
    ]


@pytest.mark.django_db
def test_lost_writes_and_leases_are_noticed() -> None:
    user = make_user()
    items = [make_item(make_source(reader=user)) for _ in range(1)]
    set_state(user, [items[0].pk], saved=True)
    reader = Reader(user.pk, "", "", saved={items[0].pk}, upto=0)
    assert acknowledged_writes_are_there([reader]) == []

    reader.saved.add(99)
    reader.upto = 5
    problems = acknowledged_writes_are_there([reader])
    assert len(problems) == 2

    assert no_lease_is_left() == []
    with lease("a test"):
        assert no_lease_is_left() == ["the leases ['a test'] are held"]


@pytest.mark.django_db
def test_inconsistent_stories_are_noticed() -> None:
    item = make_item(make_source())
    assert stories_are_consistent() == ["1 items have no story"]
    group_new_items()
    assert stories_are_consistent() == []

    story = Item.objects.get(pk=item.pk).story
    assert story is not None
    type(story).objects.update(item_count=2)
    assert "says 2" in stories_are_consistent()[0]


def test_each_fault_has_a_name_of_its_own() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) == 21


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_is_lost_in_chaos() -> None:
    if missing():
        pytest.skip("needs PostgreSQL, Redis and PgBouncer")
    command = [sys.executable, "-m", "benchmarks.chaos", "--seconds", "40", "--seed", "7"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing was lost or doubled" in done.stdout
