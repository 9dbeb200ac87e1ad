"""GitHub: releases, tags, commits, discussions and the wiki of a repository, and user activity."""

from collections.abc import Sequence

from feeds.sources.address_rules.rule import Address, AddressRule

SITE = "https://github.com"
_RESERVED = (
    "about apps codespaces collections contact customer-stories dashboard enterprise events"
    " explore features issues join login marketplace mobile new notifications orgs organizations"
    " pricing pulls readme search security sessions settings signup site solutions sponsors stars"
    " team topics trending users watching"
)
RESERVED = frozenset(_RESERVED.split())
"""First path segments that are no names of users."""


def feeds(address: Address) -> Sequence[str]:
    if not address.path or address.path[0].lower() in RESERVED:
        return []
    match address.path:
        case (user,):
            return [f"{SITE}/{user}.atom"]
        case (owner, name):
            repository = f"{SITE}/{owner}/{name.removesuffix('.git')}"
            return [f"{repository}/releases.atom", f"{repository}/commits.atom"]
        case (owner, name, "releases" | "tags" | "discussions" | "wiki" as part, *_):
            return [f"{SITE}/{owner}/{name}/{part}.atom"]
        case (owner, name, "commits"):
            return [f"{SITE}/{owner}/{name}/commits.atom"]
        case (owner, name, "commits" | "tree", *branch) if branch:
            return [f"{SITE}/{owner}/{name}/commits/{'/'.join(branch)}.atom"]
    return []


RULE = AddressRule(
    name="GitHub",
    hosts=("github.com",),
    feeds=feeds,
    examples=(
        (
            "https://github.com/huggingface/transformers",
            "https://github.com/huggingface/transformers/releases.atom",
        ),
        (
            "https://github.com/django/django.git",
            "https://github.com/django/django/releases.atom",
        ),
        (
            "https://github.com/django/django/releases/tag/5.2",
            "https://github.com/django/django/releases.atom",
        ),
        ("https://github.com/django/django/tags", "https://github.com/django/django/tags.atom"),
        (
            "https://github.com/django/django/commits/stable/5.2.x",
            "https://github.com/django/django/commits/stable/5.2.x.atom",
        ),
        (
            "https://github.com/django/django/commits",
            "https://github.com/django/django/commits.atom",
        ),
        (
            "https://github.com/vercel/next.js/discussions/1",
            "https://github.com/vercel/next.js/discussions.atom",
        ),
        ("https://github.com/karpathy", "https://github.com/karpathy.atom"),
    ),
)
