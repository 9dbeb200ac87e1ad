"""Medium: authors, publications and topics.

An article has the feed of its author or publication.
"""

from collections.abc import Sequence

from feeds.sources.address_rules.rule import Address, AddressRule

SITE = "https://medium.com"
_RESERVED = (
    "about creators creator feed jobs m me membership new-story p partner-program plans policy"
    " search topics verified-authors"
)
RESERVED = frozenset(_RESERVED.split())
"""First path segments that are no names of authors or publications."""


def feeds(address: Address) -> Sequence[str]:
    if address.host != "medium.com":
        return [f"https://{address.host}/feed"]
    match address.path:
        case ("tag", tag, *_):
            return [f"{SITE}/feed/tag/{tag}"]
        case (name, *_) if name.lower() not in RESERVED:
            return [f"{SITE}/feed/{name}"]
    return []


RULE = AddressRule(
    name="Medium",
    hosts=("medium.com", "*.medium.com"),
    feeds=feeds,
    examples=(
        ("https://medium.com/@karpathy", "https://medium.com/feed/@karpathy"),
        (
            "https://medium.com/@karpathy/software-2-0-a64152b37c35",
            "https://medium.com/feed/@karpathy",
        ),
        (
            "https://medium.com/towards-data-science",
            "https://medium.com/feed/towards-data-science",
        ),
        ("https://medium.com/tag/llm", "https://medium.com/feed/tag/llm"),
        ("https://karpathy.medium.com/about", "https://karpathy.medium.com/feed"),
    ),
)
