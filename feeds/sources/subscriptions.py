"""Subscribes readers to sources, one at a time or by OPML."""

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
from feeds.sources.folders import nested_names
from feeds.sources.opml import Opml, Outline, write_opml

MAX_OPML_BYTES = 10 * 1024 * 1024
MAX_FEEDS = 10_000
"""Maximum number of feeds in one file. All of them are polled from then on."""
_BATCH = 500
"""Number of addresses or ids in one query, because databases limit its parameters."""


class SubscribeError(FeedError):
    """The address cannot be followed."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The result of an import: the addresses that were added, and that were followed already.

    `failed` are pairs of an address or name and why it could not be followed.
    """

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
    """Return the source with this address, and subscribe `user` to it. A new source is due now.

    `title` is the reader's own name for the source. Without a `user` it is the title of the source
    itself, which readers cannot set, because others see it. Raises FeedError, whose message is for
    readers, if the address must not be fetched.
    """
    address = checked_address(url)
    source_title = title[:300] if user is None else ""
    source, _ = Source.objects.get_or_create(
        url=address, defaults={"title": source_title, "is_public": is_public}
    )
    source = current_source(source)
    if user is not None:
        subscribe(user, source, folder, _own_title(title, source))
    return source


def checked_address(url: str) -> str:
    """Return the canonical address of a feed, or of the best feed of a page that a rule knows.

    Raises FeedError if it isn't an address, or if the guard blocks it.
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
    """Subscribe `user` to a source.

    A source that was paused for lack of readers is polled again.
    """
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
        _resume([source.pk])
    user.bump_cache_version()
    return subscription


def _check_quota(user: User, source: Source) -> None:
    """Raise SubscribeError if one more source would exceed the quota."""
    lock_user(user)
    own = Subscription.objects.filter(user=user)
    if own.filter(source=source).exists():
        return
    if problem := SOURCES.problem(own.count()):
        raise SubscribeError(problem)


def _own_title(title: str, source: Source) -> str:
    """Return the reader's name for a source, or "" if it is the title of the source anyway."""
    title = title.strip()[:300]
    return "" if title in (source.title, source.url) else title


@transaction.atomic
def unsubscribe(user: User, source: Source) -> Subscription | None:
    """Unsubscribe `user`. A source outside the catalogue that has no readers left is paused.

    Returns the former subscription, with which `resubscribe` undoes this, or None if there was
    none.
    """
    subscription = Subscription.objects.filter(user=user, source=source).first()
    Subscription.objects.filter(user=user, source=source).delete()
    private = Source.objects.filter(pk=source.pk, is_public=False, subscriptions__isnull=True)
    private.filter(status=Source.Status.ACTIVE).update(status=Source.Status.PAUSED)
    user.bump_cache_version()
    return subscription


@transaction.atomic
def resubscribe(user: User, former: Subscription) -> Subscription:
    """Subscribe `user` again, with the settings of a former subscription.

    Its folder is left out if the reader has deleted it since. Raises SubscribeError if the reader
    follows too many sources.
    """
    folder = Folder.objects.filter(user=user, pk=former.folder_id or 0).first()
    subscription = subscribe(user, former.source, folder, former.title)
    for name in ("level", "read_up_to", "created_at"):
        setattr(subscription, name, getattr(former, name))
    subscription.save(update_fields=["level", "read_up_to", "created_at"])
    return subscription


def _resume(pks: Iterable[int]) -> None:
    """Poll paused sources again, in batches."""
    wanted = list(pks)
    for start in range(0, len(wanted), _BATCH):
        paused = Source.objects.filter(
            pk__in=wanted[start : start + _BATCH], moved_to="", is_public=False
        ).exclude(status=Source.Status.ACTIVE)
        paused.update(status=Source.Status.ACTIVE, next_poll_at=db_clock.now())


def import_opml(user: User, data: bytes) -> ImportReport:
    """Subscribe `user` to all feeds of an OPML file, in its folders.

    A feed that cannot be followed is reported, and the others are imported. Raises FeedError if the
    file is no OPML or too large.
    """
    if len(data) > MAX_OPML_BYTES:
        raise SubscribeError("The file is too large: the limit is 10 MiB.")
    with Sandbox() as sandbox:
        opml = Opml.of(sandbox.call("feeds.sources.opml:read_values", data))
    outlines: dict[str, Outline] = {}
    failed = list(opml.problems)
    if (more := len(opml.outlines) - MAX_FEEDS) > 0:
        failed.append(("", f"{more:,} feeds are over the limit of {MAX_FEEDS:,} per file."))
    for outline in opml.outlines[:MAX_FEEDS]:
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
    """Create sources, folders and subscriptions for `outlines`, which are keyed by address.

    Returns the addresses that were added, those that were followed already, and messages about
    what the quotas left out.
    """
    lock_user(user)
    followed = set(Subscription.objects.filter(user=user).values_list("source", flat=True))
    existing = _find_sources(list(outlines))
    known = {url: None for url in outlines if url in existing and existing[url].pk in followed}
    new = [url for url in outlines if url not in known]
    added = new[: SOURCES.room(len(followed))]
    sources = existing | _create_sources([url for url in added if url not in existing])
    folders, missing = _make_folders(user, {outlines[url].folder for url in added})
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
    _resume(sources[url].pk for url in added)
    user.bump_cache_version()
    return added, list(known), _left_out(len(new) - len(added), missing)


def _left_out(feeds: int, folders: int) -> list[tuple[str, str]]:
    """Return messages about what the quotas left out. Each is paired with "" as its line."""
    messages = []
    if feeds:
        were = "feed was" if feeds == 1 else "feeds were"
        most = SOURCES.in_words(SOURCES.most)
        messages.append(f"{feeds:,} {were} not imported: you can have {most} at most.")
    if folders:
        were, their = ("was", "Its") if folders == 1 else ("were", "Their")
        most = FOLDERS.in_words(FOLDERS.most)
        messages.append(
            f"{FOLDERS.in_words(folders)} {were} not created: you can have {most} at most."
            f" {their} feeds were imported."
        )
    return [("", message) for message in messages]


def _create_sources(urls: Sequence[str]) -> dict[str, Source]:
    """Create sources, and return {url: source}. Their titles are set by the first poll."""
    Source.objects.bulk_create([Source(url=url) for url in urls], ignore_conflicts=True)
    return _find_sources(urls)


def _find_sources(urls: Sequence[str]) -> dict[str, Source]:
    """Return {url: current source} of the addresses that have one."""
    sources: dict[str, Source] = {}
    for start in range(0, len(urls), _BATCH):
        batch = Source.objects.filter(url__in=urls[start : start + _BATCH])
        sources |= {source.url: current_source(source) for source in batch}
    return sources


def _make_folders(
    user: User, paths: set[tuple[str, ...]]
) -> tuple[dict[tuple[str, ...], int], int]:
    """Create the folders of `paths`, level by level.

    Returns {path: folder id}, and how many folders the quota did not allow. A path whose folder was
    not created has the id of its parent folder.
    """
    wanted = {path[:depth] for path in paths for depth in range(1, len(path) + 1)}
    existing: dict[tuple[int | None, str], int] = {
        (parent, name): pk
        for pk, parent, name in Folder.objects.filter(user=user).values_list(
            "pk", "parent_id", "name"
        )
    }
    by_path: dict[tuple[str, ...], int] = {}
    not_created = 0
    for depth in range(1, max(map(len, wanted), default=0) + 1):
        level = {
            path: (by_path.get(path[:-1]), path[-1][:100]) for path in wanted if len(path) == depth
        }
        missing = [
            Folder(user=user, parent_id=parent, name=name)
            for parent, name in sorted({*level.values()} - existing.keys(), key=str)
        ]
        room = FOLDERS.room(len(existing))
        not_created += len(missing[room:])
        for folder in Folder.objects.bulk_create(missing[:room]):
            existing[folder.parent_id, folder.name] = folder.pk
        for path, key in level.items():
            if pk := existing.get(key, key[0]):
                by_path[path] = pk
    return by_path, not_created


def export_opml(user: User) -> bytes:
    """Return the reader's subscriptions with their folders as an OPML 2.0 file."""
    folders = nested_names(user)
    subscriptions = Subscription.objects.filter(user=user).select_related("source")
    outlines = [
        Outline(
            url=subscription.source.url,
            title=subscription.title or subscription.source.title or subscription.source.url,
            site_url=subscription.source.site_url,
            folder=folders.get(subscription.folder_id or 0, ()),
        )
        for subscription in subscriptions.order_by("source__title", "source__url")
    ]
    return write_opml(f"Sources of {user.get_username()}", outlines)


@transaction.atomic
def subscribe_all(user: User, sources: Sequence[Source]) -> int:
    """Subscribe `user` to `sources`, in folders named after their packs.

    Returns the number of new subscriptions.
    """
    packs = sorted({source.pack for source in sources if source.pack})
    folders, _ = _make_folders(user, {(pack.title(),) for pack in packs})
    before = Subscription.objects.filter(user=user).count()
    Subscription.objects.bulk_create(
        [
            Subscription(user=user, source=source, folder_id=folders.get((source.pack.title(),)))
            for source in sources
        ],
        ignore_conflicts=True,
    )
    user.bump_cache_version()
    return Subscription.objects.filter(user=user).count() - before


def may_manage(user: User, source: Source) -> bool:
    """Whether the user may change the source for all readers: staff, and the only follower of a
    private source."""
    if user.is_staff or source.is_public:
        return user.is_staff
    readers = source.subscriptions.values_list("user_id", flat=True)[:2]
    return list(readers) == [user.pk]
