"""The base class of all kinds of channels."""

from collections.abc import Callable

from digests.channels.errors import DeliveryError
from digests.models import Channel, Digest

Send = Callable[[], None]
"""Sends a prepared message. Raises DeliveryError unless the receiver accepted it."""
Newest = Callable[[], Digest]
"""Returns the newest edition."""


class ChannelKind:
    """A way to deliver editions, such as e-mail. A Channel row is one reader's address of a kind.

    A subclass sets `name` and `label` and implements `prepare`. It overrides the other attributes
    and methods as needed.
    """

    name = ""
    """Stored in `Channel.kind`, so it must never change. At most 10 characters."""
    label = ""
    takes_target = True
    """Whether the reader enters an address."""
    target_help = ""
    """What to enter, if it is neither an e-mail address nor the URL of a webhook."""
    is_pushed = True
    """Whether editions are sent. Otherwise the receiver fetches them."""
    detects_repeats = False
    """Whether the receiver recognises a repeated delivery by its id. If not, a delivery that may
    have arrived is not repeated."""
    confirmation = ""
    """The name of the request that the owner of an address must confirm before editions are sent,
    such as "confirmation e-mail". Empty if the kind needs no confirmation."""
    can_test = True
    renewal_label = ""
    """The label of the button that changes the key, such as "New secret". Empty if the reader
    cannot change it."""

    def problem(self, *, for_staff: bool = False) -> str:
        """Why this server cannot use the kind, as a message for the reader; "" if it can."""
        return ""

    def clean_target(self, target: str) -> str:
        """Return the address to store. Raises ValidationError."""
        return target

    def shown_target(self, channel: Channel) -> str:
        """The address as the page shows it. Webhook addresses are secret and are shortened."""
        return channel.target

    def path(self, channel: Channel) -> str:
        """The secret path from which editions are fetched; "" if they are sent."""
        return ""

    def secret(self, channel: Channel) -> str:
        """The secret with which the receiver verifies deliveries; "" if there is none."""
        return ""

    def prepare(self, channel: Channel, digest: Digest, delivery_id: str) -> Send:
        """Build the message and return a function that sends it. Raises DeliveryError.

        The function runs in a thread and must not use the database. `delivery_id` stays the same
        when a delivery is repeated.
        """
        raise NotImplementedError

    def prepare_test(self, channel: Channel, newest: Newest) -> Send:
        """Like `prepare` for a test message, which may be the `newest` edition."""
        raise NotImplementedError

    def prepare_confirmation(self, channel: Channel) -> Send:
        """Like `prepare` for the confirmation request, if the kind has a `confirmation`."""
        raise NotImplementedError


class RemovedKind(ChannelKind):
    """Replaces a kind that is no longer registered, for channels that still use it."""

    can_test = False

    def __init__(self, name: str) -> None:
        self.name = self.label = name

    def shown_target(self, channel: Channel) -> str:
        return ""

    def prepare(self, channel: Channel, digest: Digest, delivery_id: str) -> Send:
        raise DeliveryError("This kind of channel is no longer available.", is_gone=True)
