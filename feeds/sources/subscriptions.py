"""Follow sources and stop following them, one at a time or by OPML."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction

from accounts.models import User
from accounts.quotas import FOLDERS, SOURCES, lock_user
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
    _check_quota(user, source)
    subscription, is_new = Subscription.objects.get_or_create(
        user=user, source=source, defaults={"folder": folder, "title": title}
    )
    if not is_new and folder is not None and subscription.folder_id != folder.pk:
        subscription.folder = folder
        subscription.save(update_fields=["folder"])
    if source.status != Source.Status.ACTIVE and not source.is_public:
        _wake([source.pk])
    user.bump_cache_version()
    return subscription


def _check_quota(user: User, source: Source) -> None:
    """Raises SubscribeError where one more source is too many."""
    lock_user(user)
    own = Subscription.objects.filter(user=user)
    if own.filter(source=source).exists():
        return
    if problem := SOURCES.problem(own.count()):
        raise SubscribeError(problem)


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
    user.bump_cache_version()


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
    if (more := len(opml.outlines) - MOST_FEEDS) > 0:
        failed.append(("", f"{more:,} feeds are over the limit of {MOST_FEEDS:,} per file."))
    for outline in opml.outlines[:MOST_FEEDS]:
        try:
            address = checked_address(outline.url)
        except FeedError as error:
            failed.append((outline.url, str(error)))
            continue
        if address in outlines:
            failed.append((outline.url, f"Same feed as {outlines[address].url}."))
        outlines.setdefault(address, outline)
    added, known, left_out = _follow_all(user, outlines)
    return ImportReport(tuple(added), tuple(known), (*failed, *left_out))


@transaction.atomic
def _follow_all(
    user: User, outlines: dict[str, Outline]
) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    """The addresses that are new to the reader, those that were followed already, and what the
    reader's quotas left out."""
    lock_user(user)
    followed = set(Subscription.objects.filter(user=user).values_list("source", flat=True))
    found = _find_sources(list(outlines))
    known = {url: None for url in outlines if url in found and found[url].pk in followed}
    new = [url for url in outlines if url not in known]
    added = new[: SOURCES.room(len(followed))]
    sources = found | _made_sources([url for url in added if url not in found])
    folders, lacking = _make_folders(user, {outlines[url].folder for url in added})
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
    user.bump_cache_version()
    return added, list(known), _left_out(len(new) - len(added), lacking)


def _left_out(feeds: int, folders: int) -> list[tuple[str, str]]:
    """What the quotas left out, in words."""
    said = []
    if feeds:
        were = "feed was" if feeds == 1 else "feeds were"
        most = SOURCES.in_words(SOURCES.most)
        said.append(f"{feeds:,} {were} not imported: you can have {most} at most.")
    if folders:
        were, their = ("was", "Its") if folders == 1 else ("were", "Their")
        most = FOLDERS.in_words(FOLDERS.most)
        said.append(
            f"{FOLDERS.in_words(folders)} {were} not created: you can have {most} at most."
            f" {their} feeds were imported."
        )
    return [("", words) for words in said]


def _made_sources(urls: Sequence[str]) -> dict[str, Source]:
    """{url: source} of new ones. Their titles come with the feed."""
    Source.objects.bulk_create([Source(url=url) for url in urls], ignore_conflicts=True)
    return _find_sources(urls)


def _find_sources(urls: Sequence[str]) -> dict[str, Source]:
    found: dict[str, Source] = {}
    for start in range(0, len(urls), _AT_ONCE):
        some = Source.objects.filter(url__in=urls[start : start + _AT_ONCE])
        found |= {source.url: current_source(source) for source in some}
    return found


def _make_folders(
    user: User, paths: set[tuple[str, ...]]
) -> tuple[dict[tuple[str, ...], int], int]:
    """{path: folder id} with the folders on the way, level by level; and how many were not made,
    as the quota was used up. A path without a folder of its own leads to the one around it."""
    wanted = {path[:depth] for path in paths for depth in range(1, len(path) + 1)}
    existing: dict[tuple[int | None, str], int] = {
        (parent, name): pk
        for pk, parent, name in Folder.objects.filter(user=user).values_list(
            "pk", "parent_id", "name"
        )
    }
    made: dict[tuple[str, ...], int] = {}
    lacking = 0
    for depth in range(1, max(map(len, wanted), default=0) + 1):
        level = {
            path: (made.get(path[:-1]), path[-1][:100]) for path in wanted if len(path) == depth
        }
        missing = [
            Folder(user=user, parent_id=parent, name=name)
            for parent, name in sorted({*level.values()} - existing.keys(), key=str)
        ]
        room = FOLDERS.room(len(existing))
        lacking += len(missing[room:])
        for folder in Folder.objects.bulk_create(missing[:room]):
            existing[folder.parent_id, folder.name] = folder.pk
        for path, key in level.items():
            if pk := existing.get(key, key[0]):
                made[path] = pk
    return made, lacking


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
    folders, _ = _make_folders(user, {(pack.title(),) for pack in packs})
    before = Subscription.objects.filter(user=user).count()
    Subscription.objects.bulk_create(
        [
            Subscription(user=user, source=one, folder_id=folders.get((one.pack.title(),)))
            for one in sources
        ],
        ignore_conflicts=True,
    )
    user.bump_cache_version()
    return Subscription.objects.filter(user=user).count() - before
