"""Reddit: communities, their sorted lists, users and the comments of a post."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from feeds.sources.address_rules.rule import Address, AddressRule


def feeds(address: Address) -> Sequence[str]:
    if not address.path or address.path[0] not in ("r", "u", "user") or len(address.path) < 2:
        return []
    if address.path[-1] == ".rss":
        return []
    kind, *rest = address.path
    path = "/".join(["user" if kind == "u" else kind, *rest])
    query = urlsplit(address.url).query
    return [f"https://www.reddit.com/{path}/.rss" + (f"?{query}" if query else "")]


RULE = AddressRule(
    name="Reddit",
    hosts=("reddit.com", "old.reddit.com", "new.reddit.com", "m.reddit.com"),
    feeds=feeds,
    examples=(
        (
            "https://www.reddit.com/r/MachineLearning/",
            "https://www.reddit.com/r/MachineLearning/.rss",
        ),
        (
            "https://old.reddit.com/r/LocalLLaMA/top/?t=week",
            "https://www.reddit.com/r/LocalLLaMA/top/.rss?t=week",
        ),
        ("https://www.reddit.com/u/spez", "https://www.reddit.com/user/spez/.rss"),
        (
            "https://www.reddit.com/r/Python/comments/abc123/a_title/",
            "https://www.reddit.com/r/Python/comments/abc123/a_title/.rss",
        ),
    ),
)
