"""Ask the owner of an e-mail address to confirm that they want editions."""

from ainews_site.infra import db_clock
from digests.channels import kind_of
from digests.channels.allowance import spend
from digests.channels.errors import AllowanceError
from digests.models import Channel


def request_confirmation(channel: Channel) -> bool:
    """Send the confirmation request. Return False if the channel needs none.

    The link is valid for three days. Raises DeliveryError or AllowanceError.
    """
    if channel.state != Channel.State.UNCONFIRMED:
        return False
    if not spend(channel.user, "confirm"):
        raise AllowanceError("Too many e-mails today. Try again tomorrow.")
    Channel.objects.filter(pk=channel.pk).update(created_at=db_clock.now())
    kind_of(channel).prepare_confirmation(channel)()
    return True
