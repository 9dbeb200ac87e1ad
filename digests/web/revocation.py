"""Secret addresses of feeds, which a new password offers to change."""

from django.db.models import QuerySet

from accounts.models import User
from accounts.revocation import Revocable
from digests.models import Channel, new_key


def _feeds(user: User) -> QuerySet[Channel]:
    from digests.channels import atom  # what sends editions is not loaded by every command

    return Channel.objects.filter(user=user, kind=atom.KIND.name)


def _change(user: User) -> None:
    for channel in _feeds(user):
        Channel.objects.filter(pk=channel.pk).update(key=new_key())


FEED_ADDRESSES = Revocable(
    ("secret feed address", "secret feed addresses"),
    ("was changed", "were changed"),
    lambda user: _feeds(user).count(),
    _change,
)
