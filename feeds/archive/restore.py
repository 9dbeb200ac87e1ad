"""Bring an archived month back, as far as its sources and readers are still there."""

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
from feeds.models import ArchivePart, Item, ItemBody, ItemKey, ItemState, Source, Story
from feeds.partitions import ensure_partitions
from feeds.revisions import CONTENT, GROUPING, revise
from feeds.stories.refresh import refresh_stories


@dataclass(slots=True)
class Restored:
    """How many items came back, how many were there already, and how many of sources that
    nobody has any more."""

    items: int = 0
    there: int = 0
    orphans: int = 0


def restore_part(folder: Path, name: str) -> Restored:
    """Insert what a part holds; what is there already stays as it is. May be repeated."""
    manifest = read_manifest(folder, name)
    restored, by = Restored(), _Ids(manifest)
    for lines in batched(read_lines(folder, name), CHUNK):
        stories = [line["story"] for line in lines if "story" in line]
        with transaction.atomic():
            _insert(Story, stories)
            _restore([line for line in lines if "item" in line], by, restored)
    back = [name, *_others_back(folder, manifest)]
    ArchivePart.objects.filter(name__in=back).update(state=ArchivePart.State.RESTORED)
    for stories in batched(_stories_of(folder, name), CHUNK):
        refresh_stories(stories)
        told = Item.objects.filter(story__in=stories).values("story")
        Story.objects.filter(pk__in=stories).exclude(pk__in=told).delete()
    revise(CONTENT, GROUPING)
    return restored


def _others_back(folder: Path, manifest: Manifest) -> list[str]:
    """Parts of the same time that have nothing more: a month that was archived again lies in
    an older part too, and whichever came back, nothing of it is missing any more."""
    parts = ArchivePart.objects.filter(state=ArchivePart.State.ARCHIVED)
    parts = parts.filter(low__lt=manifest.high, high__gt=manifest.low).exclude(name=manifest.name)
    return [part.name for part in parts if _is_back(folder, part)]


def _is_back(folder: Path, part: ArchivePart) -> bool:
    """Nobody knows of a part whose file is away or harmed: it stays what it was."""
    with suppress(ArchiveError):
        if read_manifest(folder, part.name).sha256 == part.sha256:
            ids = (line["item"]["id"] for line in read_lines(folder, part.name) if "item" in line)
            return all(_there(some) == set(some) for some in batched(ids, CHUNK))
    return False


def _stories_of(folder: Path, name: str) -> Iterator[int]:
    return (line["story"]["id"] for line in read_lines(folder, name) if "story" in line)


class _Ids:
    """The sources and readers of today by their numbers in the file."""

    def __init__(self, manifest: Manifest) -> None:
        sources = dict(Source.objects.values_list("url", "pk"))
        readers = dict(User.objects.values_list("username", "pk"))
        self.sources = {int(old): sources.get(url) for old, url in manifest.sources.items()}
        self.readers = {int(old): readers.get(name) for old, name in manifest.readers.items()}


def _restore(lines: Sequence[Line], by: _Ids, restored: Restored) -> None:
    wanted = []
    for line in lines:
        item, key = line["item"], line["key"]
        source = by.sources.get(item["source_id"])
        if source is None:
            restored.orphans += 1
            continue
        item["source_id"] = source
        if key:
            key["source_id"] = source
        wanted.append(line)
    there = _there([line["item"]["id"] for line in wanted])
    there |= _told_again(wanted)
    new = [line for line in wanted if line["item"]["id"] not in there]
    restored.there += len(wanted) - len(new)
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
        state["user_id"] = by.readers.get(state["user_id"])
        del state["id"]
    _restore_states([state for state in states if state["user_id"]])


def _there(ids: Sequence[int]) -> set[int]:
    return set(Item.objects.filter(pk__in=ids).values_list("pk", flat=True))


def _told_again(lines: Sequence[Line]) -> set[int]:
    """Items whose source has brought the same since, under another number."""
    pairs = [(line["key"], line["item"]["id"]) for line in lines if line["key"]]
    keys = {(key["source_id"], key["key_hash"]): pk for key, pk in pairs}
    found = ItemKey.objects.filter(key_hash__in={key for _, key in keys}).exclude(item_id=None)
    found = found.filter(source_id__in={source for source, _ in keys})
    return {keys[pair] for pair in found.values_list("source_id", "key_hash") if pair in keys}


def _restore_keys(rows: Sequence[dict[str, Any]]) -> None:
    """The ledger's line is a tombstone, unless its source was deleted and made anew."""
    _insert(ItemKey, rows)
    for row in rows:
        lines = ItemKey.objects.filter(source_id=row["source_id"], key_hash=row["key_hash"])
        lines.filter(item_id=None).update(item_id=row["item_id"])


def _restore_states(rows: Sequence[dict[str, Any]]) -> None:
    """With the time at which each was read: inserting takes that of now for it."""
    _insert(ItemState, rows)
    times = {(row["user_id"], row["item_id"]): row["changed_at"] for row in rows}
    states = list(ItemState.objects.filter(item__in={item for _, item in times}))
    for state in states:
        state.changed_at = times.get((state.user_id, state.item_id), state.changed_at)
    ItemState.objects.bulk_update(states, ["changed_at"], batch_size=CHUNK)


def _insert(model: type[models.Model], rows: Sequence[dict[str, Any]]) -> None:
    """Rows as they were written; one that is there stays."""
    times = [f.attname for f in model._meta.concrete_fields if isinstance(f, models.DateTimeField)]
    for row in rows:
        for name in times:
            if row.get(name):
                row[name] = datetime.fromisoformat(row[name])
    manager = model._default_manager
    manager.bulk_create([model(**row) for row in rows], ignore_conflicts=True, batch_size=CHUNK)
