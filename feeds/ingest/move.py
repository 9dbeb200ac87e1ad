"""Follow a feed that has moved for good; two sources that turn out to be one are merged."""

from django.db import transaction

from feeds.models import FetchLog, Item, ItemKey, ItemState, Source, Subscription


@transaction.atomic
def adopt_address(source: Source, url: str) -> Source:
    """Give `source` its new address; when a source has it already, merge into that one.

    Returns the source that lives on. Nothing of the other is lost: its readers, their
    states and the items that only it had move along.
    """
    known = Source.objects.filter(url=url).exclude(pk=source.pk).first()
    if known is None:
        Source.objects.filter(pk=source.pk).update(url=url, moved_to="", moved_since=None)
        source.url, source.moved_to, source.moved_since = url, "", None
        return source
    _move_readers(source, known)
    _move_items(source, known)
    FetchLog.objects.filter(source=source).delete()
    source.delete()
    return known


def _move_readers(source: Source, known: Source) -> None:
    theirs = Subscription.objects.filter(source=known).values("user")
    Subscription.objects.filter(source=source).exclude(user__in=theirs).update(source=known)


def _move_items(source: Source, known: Source) -> None:
    """Items of the ledger's keys that `known` lacks; of the others, the states alone."""
    theirs = dict(ItemKey.objects.filter(source=known).values_list("key_hash", "item_id"))
    rows = ItemKey.objects.filter(source=source).values_list("seq", "key_hash", "item_id")
    own: list[tuple[int, int | None]] = []
    twins: dict[int, int] = {}
    for seq, key, item_id in rows:
        if key not in theirs:
            own.append((seq, item_id))
        elif item_id and (twin := theirs[key]):
            twins[item_id] = twin
    ItemKey.objects.filter(seq__in=[seq for seq, _ in own]).update(source=known)
    Item.objects.filter(pk__in=[pk for _, pk in own if pk]).update(source=known)
    for state in ItemState.objects.filter(item__in=list(twins)):
        ItemState.objects.get_or_create(
            user_id=state.user_id,
            item_id=twins[state.item_id],
            defaults={
                "is_read": state.is_read,
                "is_saved": state.is_saved,
                "is_hidden": state.is_hidden,
            },
        )
