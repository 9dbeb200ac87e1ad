"""Restore an archived month. Items of deleted sources and states of deleted users are left out."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import models, transaction

from accounts.models import User
from feeds.archive.files import ArchiveError, Line, Manifest, read_lines, read_manifest
from feeds.archive.store import CHUNK, batched
from feeds.coordination.revisions import CONTENT, GROUPING, bump_revision
from feeds.core.partitions import ensure_partitions
from feeds.models import ArchivePart, Item, ItemBody, ItemKey, ItemState, Source, Story
from feeds.stories.grouping.refresh import refresh_stories


@dataclass(slots=True)
class Restored:
    """Counts of a restore: `items` were inserted, `existing` were in the database already, and
    `orphans` belong to sources that have been deleted."""

    items: int = 0
    existing: int = 0
    orphans: int = 0


def restore_part(folder: Path, name: str) -> Restored:
    """Insert the items of a part. Rows that exist stay as they are, so it can be repeated."""
    manifest = read_manifest(folder, name)
    restored, current = Restored(), _CurrentIds(manifest)
    for lines in batched(read_lines(folder, name), CHUNK):
        stories = [line["story"] for line in lines if "story" in line]
        with transaction.atomic():
            _insert(Story, stories)
            _restore([line for line in lines if "item" in line], current, restored)
    complete = [name, *_others_complete(folder, manifest)]
    ArchivePart.objects.filter(name__in=complete).update(state=ArchivePart.State.RESTORED)
    for stories in batched(_stories_of(folder, name), CHUNK):
        refresh_stories(stories)
        covered = Item.objects.filter(story__in=stories).values("story")
        Story.objects.filter(pk__in=stories).exclude(pk__in=covered).delete()
    bump_revision(CONTENT, GROUPING)
    return restored


def _others_complete(folder: Path, manifest: Manifest) -> list[str]:
    """Return the names of other parts of the same time all of whose items are in the database.

    A month that was archived twice lies in two parts. Restoring one of them restores the other.
    """
    parts = ArchivePart.objects.filter(state=ArchivePart.State.ARCHIVED)
    parts = parts.filter(low__lt=manifest.high, high__gt=manifest.low).exclude(name=manifest.name)
    return [part.name for part in parts if _is_complete(folder, part)]


def _is_complete(folder: Path, part: ArchivePart) -> bool:
    """Tell whether all items of a part are in the database; False if its file cannot be read."""
    with suppress(ArchiveError):
        if read_manifest(folder, part.name).sha256 == part.sha256:
            ids = (line["item"]["id"] for line in read_lines(folder, part.name) if "item" in line)
            return all(_existing(batch) == set(batch) for batch in batched(ids, CHUNK))
    return False


def _stories_of(folder: Path, name: str) -> Iterator[int]:
    return (line["story"]["id"] for line in read_lines(folder, name) if "story" in line)


class _CurrentIds:
    """Maps ids of sources and users in the file to the ids of the same rows in this database."""

    def __init__(self, manifest: Manifest) -> None:
        sources = dict(Source.objects.values_list("url", "pk"))
        readers = dict(User.objects.values_list("username", "pk"))
        self.sources = {int(old): sources.get(url) for old, url in manifest.sources.items()}
        self.readers = {int(old): readers.get(name) for old, name in manifest.readers.items()}


def _restore(lines: Sequence[Line], current: _CurrentIds, restored: Restored) -> None:
    wanted = []
    for line in lines:
        item, key = line["item"], line["key"]
        source = current.sources.get(item["source_id"])
        if source is None:
            restored.orphans += 1
            continue
        item["source_id"] = source
        if key:
            key["source_id"] = source
        wanted.append(line)
    existing = _existing([line["item"]["id"] for line in wanted])
    existing |= _published_again(wanted)
    new = [line for line in wanted if line["item"]["id"] not in existing]
    restored.existing += len(wanted) - len(new)
    restored.items += len(new)
    known = {line["item"]["story_id"] for line in new} - {None}
    known = set(Story.objects.filter(pk__in=known).values_list("pk", flat=True))
    for line in new:
        if line["item"]["story_id"] not in known:
            line["item"]["story_id"] = None
    ensure_partitions(line["item"]["id"] for line in new)
    _insert(Item, [line["item"] for line in new])
    _insert(ItemBody, [line["body"] for line in new if line["body"]])
    _restore_keys([line["key"] for line in new if line["key"]])
    states = [state for line in new for state in line["states"]]
    for state in states:
        state["user_id"] = current.readers.get(state["user_id"])
        del state["id"]
    _restore_states([state for state in states if state["user_id"]])


def _existing(ids: Sequence[int]) -> set[int]:
    return set(Item.objects.filter(pk__in=ids).values_list("pk", flat=True))


def _published_again(lines: Sequence[Line]) -> set[int]:
    """Return the ids of items that their source has published again under another id."""
    pairs = [(line["key"], line["item"]["id"]) for line in lines if line["key"]]
    keys = {(key["source_id"], key["key_hash"]): pk for key, pk in pairs}
    rows = ItemKey.objects.filter(key_hash__in={key for _, key in keys}).exclude(item_id=None)
    rows = rows.filter(source_id__in={source for source, _ in keys})
    return {keys[pair] for pair in rows.values_list("source_id", "key_hash") if pair in keys}


def _restore_keys(rows: Sequence[dict[str, Any]]) -> None:
    """Restore ledger rows. A row exists as a tombstone unless its source was deleted and added
    again."""
    _insert(ItemKey, rows)
    for row in rows:
        lines = ItemKey.objects.filter(source_id=row["source_id"], key_hash=row["key_hash"])
        lines.filter(item_id=None).update(item_id=row["item_id"])


def _restore_states(rows: Sequence[dict[str, Any]]) -> None:
    """Restore states with their own times: `bulk_create` sets `changed_at` to the present."""
    _insert(ItemState, rows)
    times = {(row["user_id"], row["item_id"]): row["changed_at"] for row in rows}
    states = list(ItemState.objects.filter(item__in={item for _, item in times}))
    for state in states:
        state.changed_at = times.get((state.user_id, state.item_id), state.changed_at)
    ItemState.objects.bulk_update(states, ["changed_at"], batch_size=CHUNK)


def _insert(model: type[models.Model], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows as they were archived. Rows that exist stay as they are."""
    times = [f.attname for f in model._meta.concrete_fields if isinstance(f, models.DateTimeField)]
    for row in rows:
        for name in times:
            if row.get(name):
                row[name] = datetime.fromisoformat(row[name])
    manager = model._default_manager
    manager.bulk_create([model(**row) for row in rows], ignore_conflicts=True, batch_size=CHUNK)
