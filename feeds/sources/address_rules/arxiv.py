"""arXiv: new papers of an archive or of a subject class (info.arxiv.org/help/rss.html)."""

from collections.abc import Sequence

from feeds.sources.address_rules.rule import Address, AddressRule

FEED = "https://rss.arxiv.org/rss"


def feeds(address: Address) -> Sequence[str]:
    match address.path:
        case ("list" | "archive", subject, *_):
            return [f"{FEED}/{subject}"]
    return []


RULE = AddressRule(
    name="arXiv",
    hosts=("arxiv.org", "export.arxiv.org"),
    feeds=feeds,
    examples=(
        ("https://arxiv.org/list/cs.AI/recent", "https://rss.arxiv.org/rss/cs.AI"),
        ("https://arxiv.org/list/stat.ML/new", "https://rss.arxiv.org/rss/stat.ML"),
        ("https://arxiv.org/archive/cs", "https://rss.arxiv.org/rss/cs"),
    ),
)
