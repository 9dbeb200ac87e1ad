"""The kinds of channels by which editions leave: one module each, registered here."""

from digests.channels import atom, discord, mail, mattermost, slack, webhook
from digests.channels.kind import ChannelKind, RemovedKind
from digests.models import Channel

KINDS: tuple[ChannelKind, ...] = (
    mail.KIND,
    atom.KIND,
    slack.KIND,
    discord.KIND,
    mattermost.KIND,
    webhook.KIND,
)
"""In the order in which the page offers them."""


def kind_named(name: str) -> ChannelKind:
    return next((kind for kind in KINDS if kind.name == name), None) or RemovedKind(name)


def kind_of(channel: Channel) -> ChannelKind:
    return kind_named(channel.kind)


def describe(channel: Channel) -> str:
    """Its kind and address, in one line."""
    kind = kind_of(channel)
    return f"{kind.label} {kind.shown_target(channel)}".strip()


def pushed_kinds() -> list[str]:
    """The names of those whose editions are sent."""
    return [kind.name for kind in KINDS if kind.is_pushed]


def kinds_that_know_repeats() -> list[str]:
    """The names of those whose receivers recognise a repeated delivery."""
    return [kind.name for kind in KINDS if kind.knows_repeats]
