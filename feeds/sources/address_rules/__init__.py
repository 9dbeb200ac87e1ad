"""The registered address rules, which know the feeds of well-known sites by address. Pure."""

from feeds.sources.address_rules import (
    arxiv,
    bluesky,
    github,
    gitlab,
    hacker_news,
    hugging_face,
    mastodon,
    medium,
    pypi,
    reddit,
    substack,
    youtube,
)
from feeds.sources.address_rules.rule import AddressRule, is_feed, split_address

RULES: tuple[AddressRule, ...] = (
    arxiv.RULE,
    bluesky.RULE,
    github.RULE,
    gitlab.RULE,
    hacker_news.RULE,
    hugging_face.RULE,
    mastodon.RULE,
    medium.RULE,
    pypi.RULE,
    reddit.RULE,
    substack.RULE,
    youtube.RULE,
)


def feed_addresses(url: str) -> tuple[str, ...]:
    """Return the feeds of the page at the canonical address `url`, best first, by the rules."""
    address = split_address(url)
    if address is None or is_feed(address):
        return ()
    for rule in RULES:
        if rule.applies_to(address.host) and (feeds := rule.feeds(address)):
            return tuple(feeds)
    return ()


def feed_address(url: str) -> str:
    """Return the best feed of the page at `url`, or `url` itself if no rule knows it."""
    return next(iter(feed_addresses(url)), url)
