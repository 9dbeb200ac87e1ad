"""kill -9 of the archive between each of its steps, on real databases."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services import Postgres
from tests.workers import ROOT, environment, migrate

SCRIPT = """
import json, os, signal, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
import django
django.setup()
from django.core.management import call_command
from django.db import connection, transaction
from feeds.core import partitions
from feeds.archive import files, store
from feeds.models import ArchivePart, Item, ItemBody, ItemKey, ItemState, Story
from feeds.search.run import search_items
from feeds.stories.grouping.refresh import refresh_stories
from tests.make import make_item, make_source, make_story, make_user

folder = Path(sys.argv[1])
MODELS = (Item, ItemBody, ItemKey, Story)
STEPS = [
    (files, "_compressed"), (files, "_name_for"), (files, "_publish"), (store, "write_part"),
    (store, "_read_back"), (store, "delete_items_of"), (store, "_drop_partition"),
    (store, "_delete_in_steps"), (store, "_drop_empty_stories"), (store, "refresh_stories"),
    (partitions, "lock"), (partitions, "set_states_aside"), (partitions, "keep_only"),
]

def prepare():
    reader = make_user()
    source = make_source(reader=reader)
    for month in (1, 2, 3):
        start = datetime(2026, month, 3, tzinfo=UTC)
        partitions.ensure_partitions([int(start.timestamp()) << 20])
        items = [
            make_item(source, f"Zanzibar {month} {n}", text="words " * 20,
                      published=start + timedelta(hours=n))
            for n in range(12)
        ]
        ItemState.objects.create(user=reader, item=items[0], is_saved=month != 2, is_read=True)
        ItemState.objects.create(user=reader, item=items[1], is_read=True)
        refresh_stories([make_story(*items[:3]).pk, make_story(*items[3:6]).pk])
    return reader

def everything():
    connection.close()
    rows = [list(model.objects.order_by("pk").values()) for model in MODELS]
    states = ItemState.objects.order_by("item_id").values("user", "item", "is_read", "is_saved")
    return json.dumps([*rows, list(states)], default=str)

def archive(stop):
    "Die at the step of that number; whether there was none."
    connection.close()
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    count = 0
    def step():
        nonlocal count
        count += 1
        if count == stop:
            os.kill(os.getpid(), signal.SIGKILL)
    def watched(act):
        def wrapper(*arguments, **named):
            step()
            result = act(*arguments, **named)
            step()
            return result
        return wrapper
    for module, name in STEPS:
        setattr(module, name, watched(getattr(module, name)))
    store.CHUNK = 5
    call_command("archive", older_than="100d", folder=folder)
    os._exit(0)

reader = prepare()
before = everything()
stops = []
while (status := archive(len(stops) + 1)) == -signal.SIGKILL:
    stops.append(status)
    # A killed one's lease runs out after a while.
    from feeds.models import Lease
    Lease.objects.update(until=None)
    assert Item.objects.count() + ArchivePart.objects.count() > 2
assert status == 0, status
left, parts = Item.objects.count(), list(ArchivePart.objects.values_list("name", "state"))
again = archive(0)
files_then = sorted(path.name for path in folder.iterdir())
partitions._known.clear()  # what a process remembers that has just begun
for name, _ in parts * 2:
    call_command("restore_archive", name, folder=folder)
print(json.dumps({
    "kills": len(stops), "left": left, "parts": sorted({state for _, state in parts}),
    "again": again, "same": everything() == before, "strays": partitions.rows_in_default(),
    "found": search_items(reader, "zanzibar").found, "files": files_then,
}))
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def env(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    if request.param == "sqlite":
        env = environment(tmp_path / "data", "")
        migrate(env)
        yield env
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    yield environment(tmp_path / "data", postgres.migrated("archived"))
    postgres.sql("DROP DATABASE archived WITH (FORCE)")


@pytest.mark.timeout(400)
def test_it_goes_on_wherever_it_is_killed(env: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["kills"] > 15
    assert said["left"] == 2, "what was saved"
    assert said["parts"] == ["archived"]
    assert (said["again"], said["same"], said["strays"], said["found"]) == (0, True, 0, 36)
    assert not [name for name in said["files"] if name.endswith(".half")]
