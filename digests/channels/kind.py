"""What a kind of channel is: the base of the modules of this package, each of which is one."""

from collections.abc import Callable

from digests.channels.errors import DeliveryError
from digests.models import Channel, Digest

Send = Callable[[], None]
"""Sends what was prepared. Raises DeliveryError, in words, unless it was accepted."""
Newest = Callable[[], Digest]


class ChannelKind:
    """One way by which editions leave. A channel is a reader's row of one kind.

    A subclass sets `name` and `label` and implements `prepare`; it overrides the rest where it
    differs from what is below.
    """

    name = ""
    """Stored in `Channel.kind`, so never changed; at most 10 characters."""
    label = ""
    takes_target = True
    """Whether the reader enters an address."""
    target_help = ""
    """What to enter, where it is neither an e-mail address nor a webhook's URL."""
    is_pushed = True
    """Whether editions are sent; else they are fetched."""
    knows_repeats = False
    """Whether the receiver recognises a repeated delivery by its id. If not, a delivery that may
    have arrived is not repeated."""
    confirmation = ""
    """What asks the owner of the address whether they want editions, such as "confirmation
    e-mail"; none are sent before they agree. Empty if the reader's word is enough."""
    can_test = True
    renews = ""
    """What a new key gives, such as "New secret"; empty if the reader cannot change the key."""

    def problem(self, *, for_staff: bool = False) -> str:
        """Why this server cannot use it now, for the reader; empty if it can."""
        return ""

    def clean_target(self, target: str) -> str:
        """The address to store. Raises ValidationError."""
        return target

    def shown_target(self, channel: Channel) -> str:
        """What the page shows of the address."""
        return channel.target

    def path(self, channel: Channel) -> str:
        """Where editions are fetched here, by a secret path; empty if they are not."""
        return ""

    def secret(self, channel: Channel) -> str:
        """What the receiver needs to verify deliveries; empty for nothing."""
        return ""

    def prepare(self, channel: Channel, digest: Digest, delivery_id: str) -> Send:
        """Do all that can be done before anything is sent. Raises DeliveryError.

        `delivery_id` stays the same when a delivery is repeated.
        """
        raise NotImplementedError

    def prepare_test(self, channel: Channel, newest: Newest) -> Send:
        """The same for a test, which may be the `newest` edition. Raises DeliveryError."""
        raise NotImplementedError

    def prepare_confirmation(self, channel: Channel) -> Send:
        """The same for what asks the owner of the address, if there is a `confirmation`."""
        raise NotImplementedError


class RemovedKind(ChannelKind):
    """Stands for a kind that is registered no longer, while readers have channels of it."""

    can_test = False

    def __init__(self, name: str) -> None:
        self.name = self.label = name

    def shown_target(self, channel: Channel) -> str:
        return ""

    def prepare(self, channel: Channel, digest: Digest, delivery_id: str) -> Send:
        raise DeliveryError("This kind of channel is no longer available.", is_gone=True)
