"""The registry of delivery channels. Each kind of channel is a module of this package."""

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
"""All kinds, in the order in which the page offers them."""


def kind_named(name: str) -> ChannelKind:
    """The kind with this name, or a RemovedKind if no such kind is registered."""
    return next((kind for kind in KINDS if kind.name == name), None) or RemovedKind(name)


def kind_of(channel: Channel) -> ChannelKind:
    return kind_named(channel.kind)


def describe(channel: Channel) -> str:
    """The kind and the address of a channel, in one line."""
    kind = kind_of(channel)
    return f"{kind.label} {kind.shown_target(channel)}".strip()


def pushed_kinds() -> list[str]:
    """The names of the kinds to which editions are sent. Others are fetched, as feeds are."""
    return [kind.name for kind in KINDS if kind.is_pushed]


def kinds_detecting_repeats() -> list[str]:
    """The names of the kinds whose receivers recognise a repeated delivery."""
    return [kind.name for kind in KINDS if kind.detects_repeats]
