"""Follow a feed that has moved for good; two sources that turn out to be one are merged.

Anybody can redirect to anybody. So a move shows nobody what they could not see before: no private
source becomes public, and neither its items nor its title come before other eyes.
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

MOST_HOPS = 10
STATES = 1_000
"""States that one statement copies."""
_CARRIED = ("title", "site_url", "topics", "language", "pack")


@transaction.atomic
def adopt_address(source: Source, url: str) -> Source:
    """Give `source` its new address; when a source has it already, merge into that one.

    Returns the source that lives on. The old address stays known, as a source that is
    gone and says where to: see `current_source`. A source that must not be merged keeps its
    address, and is read through the redirect.
    """
    known = Source.objects.filter(url=url).exclude(pk=source.pk).first()
    if known is None:
        _leave_word(source, url)
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
    """Whether all who see `source` may see `known`, or there is nothing to see of it."""
    if known.is_public or not (theirs or ItemKey.objects.filter(source=known).exists()):
        return True
    return not source.is_public and own <= theirs


def current_source(source: Source) -> Source:
    """The source that lives on where this one has moved; itself where it has not."""
    for _ in range(MOST_HOPS):
        if source.status != Source.Status.GONE or not source.moved_to:
            break
        following = Source.objects.filter(url=source.moved_to).first()
        if following is None:
            break
        source = following
    return source


def _leave_word(source: Source, url: str) -> None:
    """Another row keeps the old address, or the catalogue would make its source anew."""
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
    _tell(readers)


def _tell(readers: Iterable[int]) -> None:
    """After the commit: a reader who acts meanwhile takes the locks in another order."""
    transaction.on_commit(lambda: User.bump_cache_versions(readers))


def _carry_over(source: Source, known: Source, shows_same: bool) -> None:
    """What the catalogue and the readers knew of the old one, where nobody sees the new one who
    could not see that; it is polled if anyone reads it."""
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
    """{item of the old source: the same entry of the other}, by the ledger's keys."""
    theirs = dict(ItemKey.objects.filter(source=known).values_list("key_hash", "item_id"))
    rows = ItemKey.objects.filter(source=source, item_id__isnull=False)
    found = ((pk, theirs.get(key)) for key, pk in rows.values_list("key_hash", "item_id"))
    return {pk: twin for pk, twin in found if pk and twin}


def _copy_states(twins: dict[int, int], known: Source) -> None:
    """Give the twins the states of the old items, of those readers who see the twins. A state
    that a twin has already stays."""
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
    ItemState.objects.bulk_create(copies, ignore_conflicts=True, batch_size=STATES)
    _tell({state.user_id for state in states})


def _states(items: Iterable[int], known: Source) -> QuerySet[ItemState]:
    """The states of items by readers who see `known`. What was saved may outlive a
    subscription."""
    states = ItemState.objects.filter(item__in=list(items))
    return states if known.is_public else states.filter(user__in=_readers(known))


def _is_same_publisher(one: str, other: str) -> bool:
    """Whether both addresses are of one host. Anybody can redirect to anybody: what a
    stranger's feed once held is not put under another's name."""
    hosts = {(urlsplit(url).hostname or "").removeprefix("www.") for url in (one, other)}
    return len(hosts) == 1


def _move_items(source: Source, known: Source, twins: dict[int, int]) -> None:
    """Items that only the old source had become the other's; of twins one is enough, unless a
    reader saved it who does not see the other."""
    from feeds.stories.grouping.edit import delete_items
    from feeds.stories.grouping.refresh import refresh_stories

    saved = ItemState.objects.filter(item__in=list(twins), is_saved=True)
    kept = saved.exclude(pk__in=_states(twins, known)).values_list("item", flat=True)
    delete_items(Item.objects.filter(pk__in=twins.keys() - {*kept}))
    theirs = ItemKey.objects.filter(source=known).values("key_hash")
    own = ItemKey.objects.filter(source=source).exclude(key_hash__in=theirs)
    own.update(source=known)
    moved = Item.objects.filter(source=source).exclude(pk__in=list(twins))
    stories = set(moved.values_list("story", flat=True)) - {None}
    moved.update(source=known)
    refresh_stories(stories)
