"""Months go into files and come back, whatever happens in between."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from feeds.archive import store
from feeds.archive.files import ArchiveError, Manifest, read_manifest
from feeds.archive.restore import restore_part
from feeds.archive.store import archive_months
from feeds.coordination.lease import lease
from feeds.core.partitions import ensure_partitions, spans
from feeds.models import (
    ArchivePart,
    Item,
    ItemBody,
    ItemKey,
    ItemState,
    Lease,
    Source,
    Story,
    Subscription,
)
from feeds.search.run import search_items
from feeds.stories.grouping.refresh import refresh_stories
from feeds.tasks import archive_old_months
from tests.make import make_item, make_source, make_story
from tests.services import free_place

pytestmark = pytest.mark.django_db(transaction=True)
MARCH = datetime(2025, 3, 10, tzinfo=UTC)
APRIL = datetime(2025, 4, 10, tzinfo=UTC)
OLD = datetime(2025, 5, 1, tzinfo=UTC)


@pytest.fixture
def items(reader: User) -> list[Item]:
    """Four of March, one of which is saved and one read; one of April; one of this hour."""
    source = make_source(reader=reader)
    march = [MARCH + timedelta(days=n, microseconds=7) for n in range(4)]
    ensure_partitions(int(moment.timestamp()) << 20 for moment in (MARCH, APRIL))
    made = [
        make_item(source, f"Zanzibar {n}", text=f"Ünicode\n{n} 🚀", published=moment, topics=["a"])
        for n, moment in enumerate([*march, APRIL, timezone.now() - timedelta(hours=1)])
    ]
    ItemState.objects.create(user=reader, item=made[0], is_saved=True, changed_at=APRIL)
    ItemState.objects.create(user=reader, item=made[1], is_read=True, changed_at=APRIL)
    stories = [make_story(made[0], made[1]), make_story(made[2], made[3])]
    refresh_stories(story.pk for story in stories)
    return made


def archive(folder: Path, older_than: datetime = OLD, **options: Any) -> list[str]:
    return [part.name for part in archive_months(folder, older_than, lambda _: None, **options)]


def everything() -> list[list[dict[str, Any]]]:
    models = (Item, ItemBody, ItemKey, Story)
    states = ItemState.objects.order_by("item_id")
    columns = ("user", "item", "is_read", "is_saved", "changed_at")
    return [[*model.objects.order_by("pk").values()] for model in models] + [
        [*states.values(*columns)]
    ]


def test_a_month_goes_and_comes_back(items: list[Item], tmp_path: Path) -> None:
    before = everything()
    assert archive(tmp_path) == ["2025-03", "2025-04"]
    left = Item.objects.order_by("id").values_list("title", flat=True)
    assert list(left) == ["Zanzibar 0", "Zanzibar 5"]
    assert ItemBody.objects.count() == 2
    assert ItemState.objects.get().is_saved
    assert ItemKey.objects.filter(item_id=None).count() == 4
    story = Story.objects.get()
    assert (story.item_count, story.lead_id) == (1, items[0].pk)
    part = ArchivePart.objects.get(name="2025-03")
    assert (part.items, part.state) == (3, "archived")
    assert not list(tmp_path.glob("*.half"))

    found = restore_part(tmp_path, "2025-03")
    assert (found.items, found.existing, found.orphans) == (3, 0, 0)
    assert restore_part(tmp_path, "2025-04").items == 1
    assert everything() == before
    again = restore_part(tmp_path, "2025-03")
    assert (again.items, again.existing) == (0, 3)
    assert everything() == before


def test_the_search_says_what_it_does_not_find(
    items: list[Item], reader: User, tmp_path: Path, client: Client
) -> None:
    assert search_items(reader, "zanzibar").archived is None
    archive(tmp_path)
    results = search_items(reader, "zanzibar")
    assert {item.title for item in results.items} == {"Zanzibar 0", "Zanzibar 5"}
    client.force_login(reader)
    page = client.get("/search/?q=zanzibar").content.decode()
    assert "Not searched: 4 archived items from before May 2025." in page
    asked = client.get("/api/v1/search/?q=zanzibar").json()
    assert asked["archived"].startswith("Not searched: 4 archived items")
    missing = client.get(reverse("item", args=[items[2].pk]))
    assert missing.status_code == 404
    assert "manage.py restore_archive 2025-03" in missing.content.decode()
    restore_part(tmp_path, "2025-03")
    restore_part(tmp_path, "2025-04")
    assert search_items(reader, "zanzibar").archived is None
    assert search_items(reader, "zanzibar").found == 6


def test_archived_items_do_not_come_again(items: list[Item], tmp_path: Path) -> None:
    """The ledger keeps them, so that a feed which still has them brings nothing."""
    keys = set(ItemKey.objects.values_list("key_hash", flat=True))
    archive(tmp_path)
    assert set(ItemKey.objects.values_list("key_hash", flat=True)) == keys


def test_what_is_done_is_not_done_again(items: list[Item], tmp_path: Path) -> None:
    archive(tmp_path)
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert archive(tmp_path) == []
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files


def test_what_came_later_gets_a_part_of_its_own(items: list[Item], tmp_path: Path) -> None:
    archive(tmp_path)
    ensure_partitions([int(MARCH.timestamp()) << 20])
    ItemState.objects.update(is_saved=False)
    make_item(items[0].source, "Late", published=MARCH)
    assert archive(tmp_path) == ["2025-03-2"]
    assert Item.objects.count() == 1
    assert restore_part(tmp_path, "2025-03").items == 3
    assert restore_part(tmp_path, "2025-03-2").items == 2


def test_what_was_brought_back_stays(items: list[Item], tmp_path: Path) -> None:
    archive(tmp_path)
    restore_part(tmp_path, "2025-03")
    assert archive(tmp_path) == []
    assert archive(tmp_path, again=True) == ["2025-03-2"]


def states() -> dict[str, str]:
    return dict(ArchivePart.objects.values_list("name", "state"))


def test_what_is_archived_again_is_told_of_once(
    items: list[Item], reader: User, tmp_path: Path
) -> None:
    archive(tmp_path)
    restore_part(tmp_path, "2025-03")
    archive(tmp_path, again=True)
    assert states() == {"2025-03-2": "archived", "2025-04": "archived"}

    restore_part(tmp_path, "2025-03")  # the older file has the same items

    assert states() == {"2025-03-2": "restored", "2025-04": "archived"}
    told = search_items(reader, "zanzibar").archived
    assert told is not None
    assert told.items == 1
    assert archive(tmp_path) == []
    restore_part(tmp_path, "2025-04")
    assert search_items(reader, "zanzibar").archived is None


@pytest.mark.parametrize("lost", [True, False])
def test_a_part_that_has_more_or_is_lost_stays_archived(
    items: list[Item], tmp_path: Path, lost: bool
) -> None:
    archive(tmp_path)
    restore_part(tmp_path, "2025-03")
    if not lost:
        make_item(items[0].source, "Late", published=MARCH)
    archive(tmp_path, again=True)
    if lost:
        (tmp_path / "2025-03-2.jsonl.gz").unlink()

    restore_part(tmp_path, "2025-03")

    assert states()["2025-03-2"] == "archived"


@pytest.mark.parametrize("moment", ["_drop_empty_stories", "delete_items_of", "_delete_in_steps"])
def test_it_goes_on_after_a_kill(
    items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """At each step: written but not taken out, taken out but not told."""
    if moment == "_delete_in_steps" and connection.vendor == "postgresql":
        moment = "_drop_partition"
    before = everything()
    with monkeypatch.context() as patch:
        patch.setattr(store, moment, _killed(getattr(store, moment), moment == "_delete_in_steps"))
        with pytest.raises(KeyboardInterrupt):
            archive(tmp_path)
    archive(tmp_path)
    assert Item.objects.count() == 2
    assert Story.objects.get().item_count == 1
    assert set(ArchivePart.objects.values_list("state", flat=True)) == {"archived"}
    for name in ("2025-03", "2025-04"):
        restore_part(tmp_path, name)
    assert everything() == before


def _killed(act: Callable[..., None], after: bool) -> Callable[..., None]:
    def interrupted(*arguments: Any) -> None:
        if after:
            act(*arguments)
        raise KeyboardInterrupt

    return interrupted


def test_what_changes_meanwhile_stays(
    items: list[Item], reader: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between writing the file and taking out, a reader saves one and a source corrects one."""
    taking_out = store.delete_items_of

    def late(folder: Path, part: ArchivePart) -> None:
        if part.name == "2025-03":
            ItemState.objects.create(user=reader, item=items[2], is_saved=True, changed_at=APRIL)
            later = timezone.now() + timedelta(seconds=1)
            Item.objects.filter(pk=items[3].pk).update(title="Corrected", updated_at=later)
            make_item(items[0].source, "Late", published=MARCH)
        taking_out(folder, part)

    monkeypatch.setattr(store, "delete_items_of", late)
    archive(tmp_path)
    left = set(Item.objects.values_list("title", flat=True))
    assert left == {"Zanzibar 0", "Zanzibar 2", "Corrected", "Late", "Zanzibar 5"}
    assert search_items(reader, "corrected").found == 1
    assert ItemState.objects.filter(is_saved=True).count() == 2


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        (lambda folder: (folder / "2025-03.json").unlink(), "is incomplete"),
        (lambda folder: (folder / "2025-03.jsonl.gz").unlink(), "cannot be read"),
        (lambda folder: (folder / "2025-03.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "2025-03.json").write_text("[]"), "cannot be read"),
        (lambda folder: _cut(folder / "2025-03.jsonl.gz"), "is corrupt"),
        (lambda folder: _flip(folder / "2025-03.jsonl.gz"), "is corrupt"),
        (lambda folder: _set_format(folder / "2025-03.json"), "has format 2"),
    ],
)
def test_a_harmed_archive_is_refused(
    items: list[Item], tmp_path: Path, harm: Callable[[Path], object], expected: str
) -> None:
    archive(tmp_path)
    harm(tmp_path)
    count = Item.objects.count()
    with pytest.raises(CommandError, match=expected):
        call_command("restore_archive", "2025-03", folder=tmp_path)
    assert Item.objects.count() == count


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)


def _set_format(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))


def test_a_file_that_changed_is_not_the_reason_to_delete(
    items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(store, "delete_items_of", _killed(store.delete_items_of, after=False))
        with pytest.raises(KeyboardInterrupt):
            archive(tmp_path)
    _cut(tmp_path / "2025-03.jsonl.gz")
    with pytest.raises(ArchiveError, match="is corrupt"):
        archive(tmp_path)
    assert Item.objects.count() == len(items)


def test_a_full_disk_removes_nothing(items: list[Item], tmp_path: Path) -> None:
    with free_place(64 * 1024) as (folder, _):
        (folder / "ballast").write_bytes(bytes(60 * 1024))
        with pytest.raises(CommandError, match=r"is full\. Nothing was removed"):
            call_command("archive", older_than="180d", folder=folder / "archive")
        assert not list((folder / "archive").glob("*.half"))
    assert Item.objects.count() == len(items)
    assert not ArchivePart.objects.exists()


def test_sources_and_readers_of_today(items: list[Item], reader: User, tmp_path: Path) -> None:
    """One deleted and made anew has another number; who is gone has no states."""
    archive(tmp_path)
    url = items[0].source.url
    Subscription.objects.all().delete()
    Source.objects.all().delete()
    found = restore_part(tmp_path, "2025-03")
    assert (found.items, found.orphans) == (0, 3)
    assert not Story.objects.filter(item_count__gt=1).exists()
    anew = Source.objects.create(url=url)
    reader.delete()
    assert restore_part(tmp_path, "2025-03").items == 3
    assert set(Item.objects.values_list("source", flat=True)) == {anew.pk}
    assert ItemKey.objects.filter(source=anew).exclude(item_id=None).count() == 3
    assert not ItemState.objects.exists()


def test_the_command_says_what_it_does(
    items: list[Item], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*arguments: str) -> str:
        call_command(*arguments, f"--folder={tmp_path}")
        return capsys.readouterr().out

    assert "Nothing is archived" in said("archive", "--list")
    assert "2025-03: 3 items" in said("archive", "--older-than", "180d")
    assert "Nothing to archive: no month is that old" in said("archive", "--older-than=180")
    assert "archived" in said("archive", "--list")
    assert "2025-03: 3 items restored." in said("restore_archive", "2025-03")
    for wrong in ("", "soon", "10d"):
        with pytest.raises(CommandError, match="older-than"):
            call_command("archive", older_than=wrong)
    with pytest.raises(CommandError, match="is not in"):
        call_command("restore_archive", "2001-01", folder=tmp_path)
    with lease("archive"), pytest.raises(CommandError, match="Another process"):
        _as_somebody_else()
        call_command("archive", older_than="180d", folder=tmp_path)


@pytest.mark.parametrize("wrong", ["0d", "-5d", "-5", "abc", "6months", "1e3", "180d 7", "30d"])
def test_an_age_that_is_none_is_one_clear_sentence(
    wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CommandError) as error:
        call_command("archive", "--older-than", wrong)
    assert str(error.value).startswith("--older-than must be more than") or (
        str(error.value)
        == f"{wrong!r} is not a number of days. Give the age in days: --older-than 180d."
    )
    assert "usage" not in capsys.readouterr().err


def test_the_files_of_another_database_are_not_written_over(
    items: list[Item], tmp_path: Path
) -> None:
    """Nor those of this one from before an older back-up of it was restored."""
    archive(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    restore_part(tmp_path, "2025-03")
    restore_part(tmp_path, "2025-04")
    Item.objects.filter(pk=items[2].pk).update(title="Not what was written then")
    ArchivePart.objects.all().delete()  # as in a database that knows nothing of them

    assert archive(tmp_path) == ["2025-03-2", "2025-04"]
    assert {path: path.read_bytes() for path in before if path.suffix == ".gz"} == {
        path: content for path, content in before.items() if path.suffix == ".gz"
    }
    assert restore_part(tmp_path, "2025-03-2").items == 3


def test_who_lost_the_right_to_archive_takes_nothing_out(
    items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease ran out while a large month was written, and another process holds it."""
    reading_back = store._read_back

    def late(folder: Path, manifest: Manifest) -> None:
        reading_back(folder, manifest)
        Lease.objects.filter(name="archive").update(token=99, holder="another machine")

    monkeypatch.setattr(store, "_read_back", late)
    with pytest.raises(ArchiveError, match="Another process took over"):
        archive(tmp_path)
    assert Item.objects.count() == len(items)
    assert not ArchivePart.objects.exists()


def _as_somebody_else() -> None:
    Lease.objects.update(holder="another machine")


def test_the_schedule_archives_where_it_is_wanted(
    items: list[Item], tmp_path: Path, settings: Any
) -> None:
    settings.ARCHIVE_DIR = tmp_path
    assert archive_old_months() == 0
    settings.ARCHIVE_AFTER_DAYS = 180
    assert archive_old_months() == 2


def test_the_file_is_readable_by_others(items: list[Item], tmp_path: Path) -> None:
    archive(tmp_path)
    with gzip.open(tmp_path / "2025-03.jsonl.gz", "rt", encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    titles = [line["item"]["title"] for line in lines if "item" in line]
    assert titles == ["Zanzibar 1", "Zanzibar 2", "Zanzibar 3"]
    manifest = read_manifest(tmp_path, "2025-03")
    assert manifest.sources == {str(items[0].source_id): items[0].source.url}
    assert (manifest.items, manifest.stories, manifest.states) == (3, 2, 1)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no partitions")
def test_partitions_without_rows_go(items: list[Item], tmp_path: Path) -> None:
    archive(tmp_path)
    names = {span.name for span in spans()}
    assert "2025_04" not in names
    assert "2025_03" in names  # what is saved lies there
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relname LIKE '%\\_old'")
        assert cursor.fetchone() == (0,)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL drops the partition")
def test_the_file_shrinks(items: list[Item], tmp_path: Path) -> None:
    """In steps; one made before that was possible is remade once."""
    ItemBody.objects.filter(item=items[2]).update(text="word " * 100_000)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA page_count")
        before = cursor.fetchone()[0]
        said: list[str] = []
        archive_months(tmp_path, OLD, said.append)
        cursor.execute("PRAGMA page_count")
        assert cursor.fetchone()[0] < before - 100
        cursor.execute("PRAGMA freelist_count")
        assert cursor.fetchone()[0] == 0
