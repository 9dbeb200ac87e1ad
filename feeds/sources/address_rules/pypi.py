"""PyPI: the releases of a project."""

from collections.abc import Sequence

from feeds.sources.address_rules.rule import Address, AddressRule


def feeds(address: Address) -> Sequence[str]:
    match address.path:
        case ("project", name, *_):
            return [f"https://pypi.org/rss/project/{name}/releases.xml"]
    return []


RULE = AddressRule(
    name="PyPI",
    hosts=("pypi.org",),
    feeds=feeds,
    examples=(
        (
            "https://pypi.org/project/transformers/",
            "https://pypi.org/rss/project/transformers/releases.xml",
        ),
        (
            "https://pypi.org/project/django/5.2/#history",
            "https://pypi.org/rss/project/django/releases.xml",
        ),
    ),
)
