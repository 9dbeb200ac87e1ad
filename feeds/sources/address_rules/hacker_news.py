"""Hacker News: the front page from the site itself, other feeds from the service hnrss.org."""

from collections.abc import Sequence
from urllib.parse import quote

from feeds.sources.address_rules.rule import Address, AddressRule

SERVICE = "https://hnrss.org"
LISTS = {
    "newest": "newest",
    "best": "best",
    "ask": "ask",
    "show": "show",
    "jobs": "jobs",
    "newcomments": "newcomments",
    "active": "active",
}
BY_ID = {"user": "submitted", "submitted": "submitted", "threads": "threads", "item": "item"}


def feeds(address: Address) -> Sequence[str]:
    identity = quote(address.query.get("id", ""))
    match address.path:
        case () | ("news" | "front",):
            return ["https://news.ycombinator.com/rss"]
        case (page,) if page in LISTS:
            return [f"{SERVICE}/{LISTS[page]}"]
        case (page,) if page in BY_ID and identity:
            return [f"{SERVICE}/{BY_ID[page]}?id={identity}"]
    return []


RULE = AddressRule(
    name="Hacker News",
    hosts=("news.ycombinator.com",),
    feeds=feeds,
    examples=(
        ("https://news.ycombinator.com/", "https://news.ycombinator.com/rss"),
        ("https://news.ycombinator.com/show", "https://hnrss.org/show"),
        ("https://news.ycombinator.com/user?id=pg", "https://hnrss.org/submitted?id=pg"),
        ("https://news.ycombinator.com/threads?id=pg", "https://hnrss.org/threads?id=pg"),
        ("https://news.ycombinator.com/item?id=8863", "https://hnrss.org/item?id=8863"),
    ),
)
