"""Ask the owner of an address whether they want editions there."""

from ainews_site.infra import db_clock
from digests.channels import kind_of
from digests.channels.allowance import spend
from digests.channels.errors import AllowanceError
from digests.models import Channel


def ask_owner(channel: Channel) -> bool:
    """Whether the owner was asked; nobody is who has answered or need not be.

    The link is valid for three days from now. Raises DeliveryError, and AllowanceError, in words.
    """
    if channel.state != Channel.State.UNCONFIRMED:
        return False
    if not spend(channel.user, "confirm"):
        raise AllowanceError("Too many e-mails today. Try again tomorrow.")
    Channel.objects.filter(pk=channel.pk).update(created_at=db_clock.now())
    kind_of(channel).prepare_confirmation(channel)()
    return True
