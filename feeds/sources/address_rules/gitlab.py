"""GitLab, on gitlab.com and other hosts named gitlab: projects, groups and users."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from feeds.sources.address_rules.rule import Address, AddressRule

RESERVED = frozenset({"admin", "dashboard", "explore", "help", "profile", "search", "users"})
"""First path segments that are no names of users or groups."""


def feeds(address: Address) -> Sequence[str]:
    host = urlsplit(address.url).netloc
    names, part = _split(address.path)
    if not names or names[0] in RESERVED or "format" in address.query:
        return []
    project = f"https://{host}/{'/'.join(names)}"
    match part:
        case () if len(names) == 1:
            return [f"{project}.atom"]
        case ():
            return [f"{project}/-/releases.atom", f"{project}.atom"]
        case ("releases", *_):
            return [f"{project}/-/releases.atom"]
        case ("tags", *_):
            return [f"{project}/-/tags?format=atom"]
        case ("commits" | "tree", *branch) if branch:
            return [f"{project}/-/commits/{'/'.join(branch)}?format=atom"]
    return []


def _split(path: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the groups and the project, and the segments after the "-"."""
    if "-" not in path:
        return path, ()
    at = path.index("-")
    return path[:at], path[at + 1 :]


RULE = AddressRule(
    name="GitLab",
    hosts=("gitlab.*",),
    feeds=feeds,
    examples=(
        (
            "https://gitlab.com/gitlab-org/gitlab-runner",
            "https://gitlab.com/gitlab-org/gitlab-runner/-/releases.atom",
        ),
        (
            "https://gitlab.com/group/subgroup/project/-/releases/v1.0",
            "https://gitlab.com/group/subgroup/project/-/releases.atom",
        ),
        (
            "https://gitlab.gnome.org/GNOME/gtk/-/tags",
            "https://gitlab.gnome.org/GNOME/gtk/-/tags?format=atom",
        ),
        (
            "https://gitlab.com/gitlab-org/gitlab/-/commits/master",
            "https://gitlab.com/gitlab-org/gitlab/-/commits/master?format=atom",
        ),
        ("https://gitlab.com/gitlab-org", "https://gitlab.com/gitlab-org.atom"),
    ),
)
