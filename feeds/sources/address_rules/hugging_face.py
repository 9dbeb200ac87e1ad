"""Hugging Face: its blog."""

from collections.abc import Sequence

from feeds.sources.address_rules.rule import Address, AddressRule


def feeds(address: Address) -> Sequence[str]:
    return ["https://huggingface.co/blog/feed.xml"] if address.path[:1] == ("blog",) else []


RULE = AddressRule(
    name="Hugging Face",
    hosts=("huggingface.co",),
    feeds=feeds,
    examples=(
        ("https://huggingface.co/blog", "https://huggingface.co/blog/feed.xml"),
        ("https://huggingface.co/blog/smollm", "https://huggingface.co/blog/feed.xml"),
    ),
)
