"""An address rule as CONTRIBUTING.md describes it: members of a site on this machine."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from feeds.sources.address_rules.rule import Address, AddressRule


def feeds(address: Address) -> Sequence[str]:
    match address.path:
        case ("members", name):
            return [f"http://{urlsplit(address.url).netloc}/members/{name}/posts.xml"]
    return []


RULE = AddressRule(
    name="Toy",
    hosts=("127.0.0.1",),
    feeds=feeds,
    examples=(("http://127.0.0.1/members/ada", "http://127.0.0.1/members/ada/posts.xml"),),
)
