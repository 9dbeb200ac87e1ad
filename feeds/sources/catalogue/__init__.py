"""The starter catalogue: sources in packs, as data that the admin pages can curate."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from accounts.models import User
from feeds.coordination.revisions import CONTENT, bump_revision
from feeds.models import Source
from feeds.sources.subscriptions import subscribe_all
from feeds.stories.grouping.edit import refresh_visibility

FILE = Path(__file__).with_name("sources.json")
_FILLED = ("title", "site_url", "topics", "language", "pack")
"""What is filled in where it is blank; what a curator wrote is never overwritten."""


def catalogue_entries() -> list[dict[str, Any]]:
    """One dict a source: url, title, site_url, topics, language, weight, pack."""
    packs: dict[str, list[dict[str, Any]]] = json.loads(FILE.read_text(encoding="utf-8"))
    return [
        {"language": "en", "weight": 1.0} | entry | {"pack": pack}
        for pack, entries in packs.items()
        for entry in entries
    ]


def load_catalogue(entries: Iterable[dict[str, Any]] | None = None) -> int:
    """Make the sources of the catalogue that are missing; how many those were."""
    entries = list(catalogue_entries() if entries is None else entries)
    urls = [entry["url"] for entry in entries]
    known = {source.url: source for source in Source.objects.filter(url__in=urls)}
    new = [Source(**entry, is_public=True) for entry in entries if entry["url"] not in known]
    Source.objects.bulk_create(new)
    joined = []
    for entry in entries:
        source = known.get(entry["url"])
        if source and source.status != Source.Status.GONE:  # that one has moved, or ended
            joined += [source.pk] if _fill(source, entry) else []
    if joined:
        refresh_visibility(joined)
    bump_revision(CONTENT)
    return len(new)


def _fill(source: Source, entry: dict[str, Any]) -> bool:
    """A source that a reader added before the catalogue knew it joins its pack. True when it
    becomes public."""
    blank = {name: entry[name] for name in _FILLED if entry.get(name) and not getattr(source, name)}
    if "pack" in blank:
        blank["is_public"] = True
    if blank:
        Source.objects.filter(pk=source.pk).update(**blank)
    return bool(blank.get("is_public")) and not source.is_public


def subscribe_to_packs(user: User, packs: Sequence[str] | None = None) -> int:
    """Follow the sources of these packs, in folders of their names; how many were new.

    Without packs: all of them, for a reader who follows nothing yet, so that what a
    reader left does not come back.
    """
    if packs is None and user.subscriptions.exists():
        return 0
    sources = Source.objects.filter(is_public=True, status=Source.Status.ACTIVE).exclude(pack="")
    if packs is not None:
        sources = sources.filter(pack__in=packs)
    return subscribe_all(user, list(sources))
