"""Follow sources and stop following them, one at a time or by OPML."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction

from accounts.models import User
from ainews_site.infra import db_clock
from feeds.core.errors import FeedError
from feeds.core.sandbox import Sandbox
from feeds.ingest.clean.links import canonical_url
from feeds.ingest.fetch.client import Limits
from feeds.ingest.move import current_source
from feeds.models import Folder, Source, Subscription
from feeds.sources.address_rules import feed_address
from feeds.sources.opml import Opml, Outline, write_opml

LARGEST_OPML = 10 * 1024 * 1024
MOST_FEEDS = 10_000
"""Feeds that one file may bring: all of them are polled from then on."""
_AT_ONCE = 500
"""Addresses looked up by one query."""


class SubscribeError(FeedError):
    """The address cannot be followed."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Addresses that were added and that were followed already; (line, why) of the rest."""

    added: tuple[str, ...]
    known: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]


@transaction.atomic
def add_source(
    url: str,
    *,
    user: User | None = None,
    title: str = "",
    folder: Folder | None = None,
    is_public: bool = False,
) -> Source:
    """The source with this address, new or known, followed by `user`. A new one is due now.

    `title` is the reader's own name for it, or that of the catalogue without a reader:
    readers are strangers, and none names a source for all.

    Raises FeedError, in words, for an address that must not be fetched.
    """
    address = checked_address(url)
    named = title[:300] if user is None else ""
    source, _ = Source.objects.get_or_create(
        url=address, defaults={"title": named, "is_public": is_public}
    )
    source = current_source(source)
    if user is not None:
        subscribe(user, source, folder, _own_title(title, source))
    return source


def checked_address(url: str) -> str:
    """The canonical address of a feed, or of the best feed of a page that an address rule knows.

    Raises FeedError for what is no address, or one that feeds are not fetched from.
    """
    address = feed_address(canonical_url(url.strip()))
    if not address or len(address) > 2048:
        raise SubscribeError(f"{url[:200]!r} is not a feed address.")
    Limits.from_settings().guard.check_url(address)
    return address


@transaction.atomic
def subscribe(
    user: User, source: Source, folder: Folder | None = None, title: str = ""
) -> Subscription:
    """Follow a source; one that rested since nobody did is polled again."""
    if folder is not None and folder.user_id != user.pk:
        raise SubscribeError("That folder isn't yours.")
    subscription, is_new = Subscription.objects.get_or_create(
        user=user, source=source, defaults={"folder": folder, "title": title}
    )
    if not is_new and folder is not None and subscription.folder_id != folder.pk:
        subscription.folder = folder
        subscription.save(update_fields=["folder"])
    if source.status != Source.Status.ACTIVE and not source.is_public:
        _wake([source.pk])
    user.has_acted()
    return subscription


def _own_title(title: str, source: Source) -> str:
    """What a reader calls a source, "" where that is its name anyway."""
    title = title.strip()[:300]
    return "" if title in (source.title, source.url) else title


@transaction.atomic
def unsubscribe(user: User, source: Source) -> None:
    """Stop following. A source that nobody follows and that is not in the catalogue rests."""
    Subscription.objects.filter(user=user, source=source).delete()
    private = Source.objects.filter(pk=source.pk, is_public=False, subscriptions__isnull=True)
    private.filter(status=Source.Status.ACTIVE).update(status=Source.Status.PAUSED)
    user.has_acted()


def _wake(pks: Iterable[int]) -> None:
    """Batch by batch, as a database takes only so many values at once."""
    wanted = list(pks)
    for start in range(0, len(wanted), _AT_ONCE):
        resting = Source.objects.filter(
            pk__in=wanted[start : start + _AT_ONCE], moved_to="", is_public=False
        ).exclude(status=Source.Status.ACTIVE)
        resting.update(status=Source.Status.ACTIVE, next_poll_at=db_clock.now())


def import_opml(user: User, data: bytes) -> ImportReport:
    """Follow all feeds of an OPML file, in its folders.

    Raises FeedError when it is none or too large; a line that cannot be followed is
    reported and hinders no other.
    """
    if len(data) > LARGEST_OPML:
        raise SubscribeError("The file is too large: the limit is 10 MiB.")
    with Sandbox() as sandbox:
        opml = Opml.of(sandbox.call("feeds.sources.opml:read_values", data))
    outlines: dict[str, Outline] = {}
    failed = list(opml.problems)
    for outline in opml.outlines[MOST_FEEDS:]:
        failed.append((outline.url, f"Over the limit of {MOST_FEEDS} feeds per file."))
    for outline in opml.outlines[:MOST_FEEDS]:
        try:
            address = checked_address(outline.url)
        except FeedError as error:
            failed.append((outline.url, str(error)))
            continue
        if address in outlines:
            failed.append((outline.url, f"Same feed as {outlines[address].url}."))
        outlines.setdefault(address, outline)
    added, known = _follow_all(user, outlines)
    return ImportReport(tuple(added), tuple(known), tuple(failed))


@transaction.atomic
def _follow_all(user: User, outlines: dict[str, Outline]) -> tuple[list[str], list[str]]:
    """The addresses that are new to the reader, and those that were followed already."""
    sources = _sources_at(outlines)
    followed = set(Subscription.objects.filter(user=user).values_list("source", flat=True))
    known = [url for url in outlines if sources[url].pk in followed]
    added = [url for url in outlines if sources[url].pk not in followed]
    folders = _make_folders(user, {outlines[url].folder for url in added})
    Subscription.objects.bulk_create(
        [
            Subscription(
                user=user,
                source=sources[url],
                folder_id=folders.get(outlines[url].folder),
                title=_own_title(outlines[url].title, sources[url]),
            )
            for url in added
        ],
        ignore_conflicts=True,
    )
    _wake(sources[url].pk for url in added)
    user.has_acted()
    return added, known


def _sources_at(outlines: dict[str, Outline]) -> dict[str, Source]:
    """{url: source}; those that did not exist are made. Their titles come with the feed."""
    found = _find_sources(list(outlines))
    new = [Source(url=url) for url in outlines if url not in found]
    Source.objects.bulk_create(new, ignore_conflicts=True)
    return found | _find_sources([source.url for source in new])


def _find_sources(urls: Sequence[str]) -> dict[str, Source]:
    found: dict[str, Source] = {}
    for start in range(0, len(urls), _AT_ONCE):
        some = Source.objects.filter(url__in=urls[start : start + _AT_ONCE])
        found |= {source.url: current_source(source) for source in some}
    return found


def _make_folders(user: User, paths: set[tuple[str, ...]]) -> dict[tuple[str, ...], int]:
    """{path: folder id} with the folders on the way, level by level."""
    wanted = {path[:depth] for path in paths for depth in range(1, len(path) + 1)}
    existing: dict[tuple[int | None, str], int] = {
        (parent, name): pk
        for pk, parent, name in Folder.objects.filter(user=user).values_list(
            "pk", "parent_id", "name"
        )
    }
    made: dict[tuple[str, ...], int] = {}
    for depth in range(1, max(map(len, wanted), default=0) + 1):
        level = {
            path: (made.get(path[:-1]), path[-1][:100]) for path in wanted if len(path) == depth
        }
        missing = [
            Folder(user=user, parent_id=parent, name=name)
            for parent, name in sorted({*level.values()} - existing.keys(), key=str)
        ]
        for folder in Folder.objects.bulk_create(missing):
            existing[folder.parent_id, folder.name] = folder.pk
        made |= {path: existing[key] for path, key in level.items()}
    return made


def export_opml(user: User) -> bytes:
    """The reader's subscriptions with their folders as OPML 2.0."""
    folders = {folder.pk: folder for folder in Folder.objects.filter(user=user)}
    subscriptions = Subscription.objects.filter(user=user).select_related("source")
    outlines = [
        Outline(
            url=one.source.url,
            title=one.title or one.source.title or one.source.url,
            site_url=one.source.site_url,
            folder=_path(one.folder_id, folders),
        )
        for one in subscriptions.order_by("source__title", "source__url")
    ]
    return write_opml(f"Sources of {user.get_username()}", outlines)


def _path(folder_id: int | None, folders: dict[int, Folder]) -> tuple[str, ...]:
    names: list[str] = []
    while folder_id in folders and len(names) < 20:
        names.insert(0, folders[folder_id].name)
        folder_id = folders[folder_id].parent_id
    return tuple(names)


@transaction.atomic
def subscribe_all(user: User, sources: Sequence[Source]) -> int:
    """Follow many sources, in folders named after their packs; how many were new."""
    packs = sorted({source.pack for source in sources if source.pack})
    folders = _make_folders(user, {(pack.title(),) for pack in packs})
    before = Subscription.objects.filter(user=user).count()
    Subscription.objects.bulk_create(
        [
            Subscription(user=user, source=one, folder_id=folders.get((one.pack.title(),)))
            for one in sources
        ],
        ignore_conflicts=True,
    )
    user.has_acted()
    return Subscription.objects.filter(user=user).count() - before
