"""Substack: newsletters on its own domain. On other domains, newsletters link to their feeds."""

from collections.abc import Sequence

from feeds.sources.address_rules.rule import Address, AddressRule

NO_NEWSLETTERS = frozenset({"open.substack.com", "support.substack.com"})


def feeds(address: Address) -> Sequence[str]:
    return [] if address.host in NO_NEWSLETTERS else [f"https://{address.host}/feed"]


RULE = AddressRule(
    name="Substack",
    hosts=("*.substack.com",),
    feeds=feeds,
    examples=(
        ("https://importai.substack.com/", "https://importai.substack.com/feed"),
        ("https://importai.substack.com/p/some-post", "https://importai.substack.com/feed"),
    ),
)
