"""Follows feeds that have moved permanently, and merges two sources that turn out to be one.

Anybody can redirect to any address. So a move never shows a reader what they could not see before:
no private source becomes public, and no other reader sees its items or its title.
"""

from collections.abc import Iterable
from logging import getLogger
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import User
from ainews_site.infra import db_clock
from feeds.models import Item, ItemKey, ItemState, Source, Subscription

logger = getLogger(__name__)

MAX_HOPS = 10
STATES_BATCH = 1_000
"""Number of item states that one statement copies."""
_CARRIED = ("title", "site_url", "topics", "language", "pack")


@transaction.atomic
def adopt_address(source: Source, url: str) -> Source:
    """Give `source` the address `url`, or merge it into the source that has this address.

    Returns the surviving source. The old address remains as a source with the status GONE whose
    `moved_to` is the new one; see `current_source`. A source that must not be merged keeps its
    address, and is polled through the redirect.
    """
    known = Source.objects.filter(url=url).exclude(pk=source.pk).first()
    if known is None:
        _change_address(source, url)
        return source
    own, theirs = _readers(source), _readers(known)
    if not _may_follow(source, own, known, theirs):
        logger.info("source_move_refused source_id=%s known_id=%s", source.pk, known.pk)
        return source
    shows_same = source.is_public or (not known.is_public and theirs <= own)
    _move_readers(source, known)
    twins = _twins(source, known)
    _copy_states(twins, known)
    if shows_same and _is_same_publisher(source.url, url):
        _move_items(source, known, twins)
    _carry_over(source, known, shows_same)
    gone = Source.Status.GONE
    Source.objects.filter(pk=source.pk).update(status=gone, is_public=False, moved_to=url)
    return known


def _readers(source: Source) -> set[int]:
    return set(source.subscriptions.values_list("user", flat=True))


def _may_follow(source: Source, own: set[int], known: Source, theirs: set[int]) -> bool:
    """Return True if all readers of `source` may see `known`, or if `known` has nothing to see.

    `own` and `theirs` are the readers of `source` and of `known`.
    """
    if known.is_public or not (theirs or ItemKey.objects.filter(source=known).exists()):
        return True
    return not source.is_public and own <= theirs


def current_source(source: Source) -> Source:
    """Follow `moved_to` from `source`, and return the surviving source. This may be `source`."""
    for _ in range(MAX_HOPS):
        if source.status != Source.Status.GONE or not source.moved_to:
            break
        following = Source.objects.filter(url=source.moved_to).first()
        if following is None:
            break
        source = following
    return source


def _change_address(source: Source, url: str) -> None:
    """Set the new address, and keep the old one in another row.

    Without that row, loading the catalogue would create the source again.
    """
    old = source.url
    Source.objects.filter(pk=source.pk).update(url=url, moved_to="", moved_since=None)
    source.url, source.moved_to, source.moved_since = url, "", None
    Source.objects.create(url=old, title=source.title, status=Source.Status.GONE, moved_to=url)


def _move_readers(source: Source, known: Source) -> None:
    theirs = Subscription.objects.filter(source=known).values("user")
    followers = Subscription.objects.filter(source=source)
    readers = list(followers.values_list("user", flat=True))
    followers.filter(user__in=list(theirs.values_list("user", flat=True))).delete()
    followers.update(source=known)
    _invalidate_caches(readers)


def _invalidate_caches(readers: Iterable[int]) -> None:
    """Bump the cache versions after the commit.

    A request of a reader takes its locks in another order, so doing it now could deadlock.
    """
    transaction.on_commit(lambda: User.bump_cache_versions(readers))


def _carry_over(source: Source, known: Source, shows_same: bool) -> None:
    """Copy what the surviving source lacks from the old one, and poll it if anyone reads it.

    `shows_same` means that nobody sees `known` who could not see `source`.
    """
    changes: dict[str, Any] = {
        name: getattr(source, name)
        for name in _CARRIED
        if shows_same and getattr(source, name) and not getattr(known, name)
    }
    if source.is_public and not known.is_public:  # nobody followed it, and it has no items
        changes |= {"is_public": True, "weight": source.weight}
    is_read = source.is_public or known.subscriptions.exists()
    if known.status == Source.Status.PAUSED and not known.is_public and is_read:
        changes |= {"status": Source.Status.ACTIVE, "next_poll_at": db_clock.now()}
    if changes:
        Source.objects.filter(pk=known.pk).update(**changes)


def _twins(source: Source, known: Source) -> dict[int, int]:
    """Return {item id of `source`: item id of the same entry in `known`}, by the ledger's keys."""
    theirs = dict(ItemKey.objects.filter(source=known).values_list("key_hash", "item_id"))
    rows = ItemKey.objects.filter(source=source, item_id__isnull=False)
    pairs = ((pk, theirs.get(key)) for key, pk in rows.values_list("key_hash", "item_id"))
    return {pk: twin for pk, twin in pairs if pk and twin}


def _copy_states(twins: dict[int, int], known: Source) -> None:
    """Copy the states of the old items to their twins, for the readers who may see those.

    States that a twin has already stay as they are.
    """
    states = list(_states(twins, known).order_by("user", "item"))
    copies = [
        ItemState(
            user_id=state.user_id,
            item_id=twins[state.item_id],
            is_read=state.is_read,
            is_saved=state.is_saved,
            is_hidden=state.is_hidden,
            is_opened=state.is_opened,
            is_disliked=state.is_disliked,
            told_at=state.told_at,
        )
        for state in states
    ]
    ItemState.objects.bulk_create(copies, ignore_conflicts=True, batch_size=STATES_BATCH)
    _invalidate_caches({state.user_id for state in states})


def _states(items: Iterable[int], known: Source) -> QuerySet[ItemState]:
    """Return the states of `items` that belong to readers who may see `known`.

    Others may have states too, because a saved item outlives the subscription.
    """
    states = ItemState.objects.filter(item__in=list(items))
    return states if known.is_public else states.filter(user__in=_readers(known))


def _is_same_publisher(old_url: str, new_url: str) -> bool:
    """Return True if both addresses have the same host.

    Anybody can redirect to any address, so items of another host are never moved to a source.
    """
    hosts = {(urlsplit(url).hostname or "").removeprefix("www.") for url in (old_url, new_url)}
    return len(hosts) == 1


def _move_items(source: Source, known: Source, twins: dict[int, int]) -> None:
    """Move the items that only `source` has to `known`, and delete those with a twin there.

    An item with a twin stays if a reader saved it who may not see `known`.
    """
    from feeds.stories.grouping.edit import delete_items
    from feeds.stories.grouping.refresh import refresh_stories

    saved = ItemState.objects.filter(item__in=list(twins), is_saved=True)
    still_saved = saved.exclude(pk__in=_states(twins, known)).values_list("item", flat=True)
    delete_items(Item.objects.filter(pk__in=twins.keys() - {*still_saved}))
    theirs = ItemKey.objects.filter(source=known).values("key_hash")
    own = ItemKey.objects.filter(source=source).exclude(key_hash__in=theirs)
    own.update(source=known)
    moved = Item.objects.filter(source=source).exclude(pk__in=list(twins))
    stories = set(moved.values_list("story", flat=True)) - {None}
    moved.update(source=known)
    refresh_stories(stories)
