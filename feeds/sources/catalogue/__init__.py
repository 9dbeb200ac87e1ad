"""The starter catalogue: public sources in packs, which administrators can edit."""

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
"""Columns that are filled in if they are blank.

Values of an administrator are never overwritten.
"""


def catalogue_entries() -> list[dict[str, Any]]:
    """Return one dict for each source: url, title, site_url, topics, language, weight, pack."""
    packs: dict[str, list[dict[str, Any]]] = json.loads(FILE.read_text(encoding="utf-8"))
    return [
        {"language": "en", "weight": 1.0} | entry | {"pack": pack}
        for pack, entries in packs.items()
        for entry in entries
    ]


def load_catalogue(entries: Iterable[dict[str, Any]] | None = None) -> int:
    """Create the missing sources of the catalogue. Returns their number."""
    entries = list(catalogue_entries() if entries is None else entries)
    urls = [entry["url"] for entry in entries]
    known = {source.url: source for source in Source.objects.filter(url__in=urls)}
    new = [Source(**entry, is_public=True) for entry in entries if entry["url"] not in known]
    Source.objects.bulk_create(new)
    published = []
    for entry in entries:
        source = known.get(entry["url"])
        if source and source.status != Source.Status.GONE:  # a source that is gone stays so
            published += [source.pk] if _fill(source, entry) else []
    if published:
        refresh_visibility(published)
    bump_revision(CONTENT)
    return len(new)


def _fill(source: Source, entry: dict[str, Any]) -> bool:
    """Fill in blank columns of a source that existed before the catalogue had it.

    The source joins its pack. Returns True if it becomes public by that.
    """
    blank = {name: entry[name] for name in _FILLED if entry.get(name) and not getattr(source, name)}
    if "pack" in blank:
        blank["is_public"] = True
    if blank:
        Source.objects.filter(pk=source.pk).update(**blank)
    return bool(blank.get("is_public")) and not source.is_public


def subscribe_to_packs(user: User, packs: Sequence[str] | None = None) -> int:
    """Subscribe `user` to the sources of these packs. Returns the number of new subscriptions.

    Without `packs`, a user without subscriptions gets all packs. Others get none, so that sources
    that they have left don't come back.
    """
    if packs is None and user.subscriptions.exists():
        return 0
    sources = Source.objects.filter(is_public=True, status=Source.Status.ACTIVE).exclude(pack="")
    if packs is not None:
        sources = sources.filter(pack__in=packs)
    return subscribe_all(user, list(sources))
