"""Where well-known sites keep the feeds of their pages, by address alone. Pure."""

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
    """The feeds of the page at `url`, a canonical address, best first; none if no rule knows it."""
    address = split_address(url)
    if address is None or is_feed(address):
        return ()
    for rule in RULES:
        if rule.applies_to(address.host) and (feeds := rule.feeds(address)):
            return tuple(feeds)
    return ()


def feed_address(url: str) -> str:
    """The best feed of the page at `url`; `url` itself if no rule knows it."""
    return next(iter(feed_addresses(url)), url)
