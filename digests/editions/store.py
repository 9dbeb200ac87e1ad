"""Store editions that were written together."""

from collections.abc import Sequence

from django.db import router, transaction
from django.db.models import Q

from accounts.models import User
from digests.editions.edition import Edition
from digests.editions.plan import Plan
from digests.models import Digest

Key = tuple[int | None, object]


def store_editions(plans: Sequence[Plan], editions: Sequence[Edition]) -> list[Digest]:
    """Store the edition of each plan in one transaction. An edition whose content is unchanged
    stays, so that feeds and caches stay valid."""
    digests = [_digest(plan, edition) for plan, edition in zip(plans, editions, strict=True)]
    # Pages may write too, so the router must choose the primary.
    with transaction.atomic(using=router.db_for_write(Digest)):
        stored = _stored(digests)
        unchanged = {
            _key(digest): same
            for digest in digests
            if (same := stored.get(_key(digest))) and same.content == digest.content
        }
        for digest in digests:
            if same := unchanged.get(_key(digest)):
                same.starts_at, same.ends_at = digest.starts_at, digest.ends_at
                same.save(update_fields=["starts_at", "ends_at"])
        changed = [digest for digest in digests if _key(digest) not in unchanged]
        _save(changed)
        _bump_cache_versions([digest.user for digest in changed if digest.user])
    return [unchanged.get(_key(digest), digest) for digest in digests]


def _digest(plan: Plan, edition: Edition) -> Digest:
    return Digest(
        user=plan.user,
        date=plan.request.day,
        content=edition.as_json(),
        written_by=edition.written_by,
        starts_at=plan.window.start,
        ends_at=plan.window.end,
    )


def _key(digest: Digest) -> Key:
    return digest.user_id, digest.date


def _stored(digests: Sequence[Digest]) -> dict[Key, Digest]:
    """The stored editions of these readers and days, without their readers."""
    dates = {digest.date for digest in digests}
    users = [digest.user_id for digest in digests if digest.user_id is not None]
    owners = Q(user__in=users)
    if len(users) < len(digests):
        owners |= Q(user=None)
    return {_key(digest): digest for digest in Digest.objects.filter(owners, date__in=dates)}


def _save(digests: Sequence[Digest]) -> None:
    own = [digest for digest in digests if digest.user_id is not None]
    columns = ["created_at", "content", "written_by", "starts_at", "ends_at"]
    Digest.objects.bulk_create(
        own, update_conflicts=True, unique_fields=["user", "date"], update_fields=columns
    )
    for digest in digests:
        if digest.user_id is None:  # two rows without a reader never conflict
            values = {name: getattr(digest, name) for name in columns[1:]}
            row, _ = Digest.objects.update_or_create(user=None, date=digest.date, defaults=values)
            digest.pk, digest.created_at = row.pk, row.created_at


def _bump_cache_versions(readers: Sequence[User]) -> None:
    if len(readers) == 1:
        readers[0].bump_cache_version()  # a page goes on with this reader
    elif readers:
        User.bump_cache_versions(reader.pk for reader in readers)
