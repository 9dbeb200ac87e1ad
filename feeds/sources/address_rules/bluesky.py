"""Bluesky: the posts of a profile."""

from collections.abc import Sequence

from feeds.sources.address_rules.rule import Address, AddressRule


def feeds(address: Address) -> Sequence[str]:
    match address.path:
        case ("profile", name) | ("profile", name, "post", _):
            return [f"https://bsky.app/profile/{name}/rss"]
    return []


RULE = AddressRule(
    name="Bluesky",
    hosts=("bsky.app",),
    feeds=feeds,
    examples=(
        (
            "https://bsky.app/profile/jay.bsky.team",
            "https://bsky.app/profile/jay.bsky.team/rss",
        ),
        (
            "https://bsky.app/profile/did:plc:z72i7hdynmk6r22z27h6tvur/post/3k44dinz5pj2k",
            "https://bsky.app/profile/did:plc:z72i7hdynmk6r22z27h6tvur/rss",
        ),
    ),
)
