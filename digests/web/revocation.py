"""Secret feed addresses, which readers can revoke when they change their password."""

from django.db.models import QuerySet

from accounts.models import User
from accounts.revocation import Revocable
from digests.models import Channel, new_key


def _feed_channels(user: User) -> QuerySet[Channel]:
    from digests.channels import atom  # imported late, so that commands start faster

    return Channel.objects.filter(user=user, kind=atom.KIND.name)


def _revoke(user: User) -> None:
    for channel in _feed_channels(user):
        Channel.objects.filter(pk=channel.pk).update(key=new_key())


FEED_ADDRESSES = Revocable(
    ("secret feed address", "secret feed addresses"),
    ("was changed", "were changed"),
    lambda user: _feed_channels(user).count(),
    _revoke,
)
