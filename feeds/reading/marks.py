"""Marks of readers on items: read, saved, hidden, opened, disliked; "mark all read" and undo."""

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from feeds.models import Item, ItemKey, ItemState, MarkUndo, Subscription
from feeds.reading.unread import unread_up_to

REPEATED = timedelta(minutes=1)
"""A "mark all read" that is repeated within this time has the undo of the first."""


@transaction.atomic
def set_state(
    user: User,
    item_ids: Iterable[int],
    *,
    read: bool | None = None,
    saved: bool | None = None,
    hidden: bool | None = None,
    opened: bool | None = None,
    less: bool | None = None,
    counts_for_taste: bool = True,
) -> list[int]:
    """Set the marks that are not None for these items. Return the ids of the changed items.

    Items that the reader cannot see are left out. `less` also hides. Marks other than `read` count
    for the reader's taste, unless `counts_for_taste` is False.
    """
    given: dict[str, Any] = {
        "is_read": read,
        "is_saved": saved,
        "is_hidden": hidden if less is None else less,
        "is_opened": opened,
        "is_disliked": less,
    }
    values = {name: value for name, value in given.items() if value is not None}
    if counts_for_taste and values.keys() - {"is_read"}:
        values["told_at"] = timezone.now()
    ids = _visible(user, set(item_ids))
    if not values or not ids:
        return ids
    # Ids are sorted and rows upserted, so that concurrent requests of a reader cannot deadlock.
    ItemState.objects.bulk_create(
        [ItemState(user=user, item_id=pk, **values) for pk in ids],
        update_conflicts=True,
        unique_fields=["user", "item"],
        update_fields=[*values, "changed_at"],
    )
    user.bump_cache_version()
    return ids


@transaction.atomic
def restore_marks(
    user: User, items: Mapping[str, Collection[int]], wanted: Mapping[str, bool]
) -> None:
    """Undo an act: set each mark of `items` for its items only. They are as in `marked_items`.

    `wanted` has the act's own mark. What "less like this" hid has the same value.
    """
    for name, ids in items.items():
        value = wanted.get(name, wanted.get("less", False))
        if name == "less":
            # `set_state` would show an item again that was hidden before the act.
            ItemState.objects.filter(user=user, item__in=ids).update(is_disliked=value)
            user.bump_cache_version()
        elif ids:
            set_state(user, ids, **{name: value}, counts_for_taste=False)


def _visible(user: User, ids: set[int]) -> list[int]:
    """The items that the reader can see, and those that they have saved."""
    ids = {pk for pk in ids if 0 <= pk < 1 << 63}
    seen = set(Item.objects.visible_to(user).filter(pk__in=ids).values_list("pk", flat=True))
    if rest := ids - seen:
        kept = ItemState.objects.filter(user=user, item__in=rest, is_saved=True)
        seen |= set(kept.values_list("item", flat=True))
    return sorted(seen)


@transaction.atomic
def mark_all_read(user: User, source_ids: Collection[int] | None, upto_seq: int) -> MarkUndo:
    """Mark the items of these sources (None: of all) with a seq of at most `upto_seq` as read.

    `upto_seq` is the newest seq that the reader's page showed; newer items stay unread. This
    writes one row per source, regardless of the number of items. If there was nothing to mark, a
    request may have been repeated, because its answer was lost: then the undo is that of the first.
    """
    newest = ItemKey.objects.order_by("-seq").values_list("seq", flat=True).first() or 0
    upto = min(upto_seq, newest)
    subscriptions = Subscription.objects.filter(user=user)
    if source_ids is not None:
        subscriptions = subscriptions.filter(source__in=source_ids)
    watermarks = dict(subscriptions.filter(read_up_to__lt=upto).values_list("pk", "read_up_to"))
    # Items that the reader marked as unread, including those below the source's watermark.
    unread = ItemState.objects.filter(
        user=user,
        is_read=False,
        item__seq__lte=upto,
        item__source__in=subscriptions.values("source"),
    )
    items = list(unread.values_list("item", flat=True))
    count = max(unread_up_to(user, upto, source_ids), 0)
    undo = None if count or items else _repeated(user, source_ids)
    undo = undo or MarkUndo.objects.create(
        user=user, marks=watermarks, unread_items=items, item_count=count
    )
    Subscription.objects.filter(pk__in=watermarks).update(read_up_to=upto)
    ItemState.objects.filter(user=user, item__in=items).update(is_read=None)
    user.bump_cache_version()
    return undo


def _repeated(user: User, source_ids: Collection[int] | None) -> MarkUndo | None:
    """The reader's newest undo of the last minute, if all its marks are in these sources."""
    since = timezone.now() - REPEATED
    undos = MarkUndo.objects.filter(user=user, created_at__gt=since, item_count__gt=0)
    undo = undos.order_by("-pk").first()
    if undo is None or source_ids is None:
        return undo
    ours = Subscription.objects.filter(user=user, source__in=source_ids).values_list(
        "pk", flat=True
    )
    others = Item.objects.filter(pk__in=undo.unread_items).exclude(source__in=source_ids)
    is_ours = {int(pk) for pk in undo.marks} <= set(ours) and not others.exists()
    return undo if is_ours else None


@transaction.atomic
def undo_mark(user: User, undo_id: int) -> bool:
    """Undo a "mark all read". Return False if this reader has none with this id."""
    undo = MarkUndo.objects.filter(pk=undo_id, user=user).first()
    if undo is None:
        return False
    with connection.cursor() as cursor:
        cursor.executemany(
            # An earlier mark may be undone already, and nothing becomes read by an undo.
            "UPDATE feeds_subscription SET read_up_to = %s"
            " WHERE id = %s AND user_id = %s AND read_up_to > %s",
            [(mark, int(pk), user.pk, mark) for pk, mark in undo.marks.items()],
        )
    ItemState.objects.filter(user=user, item__in=undo.unread_items).update(is_read=False)
    undo.delete()
    user.bump_cache_version()
    return True
