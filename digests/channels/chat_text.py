"""Text for messages of chats: titles come from feeds and must stay text. Pure.

They can mention nobody (@everyone, <!channel>) and make no link and no heading. The limits of a
service are in its own module.
"""

import re
from urllib.parse import quote

LONGEST_URL = 1_000
MAX_TEXT = 600
"""Characters of one story; an edition's own limit is 60 words."""
GAP = "\u200b"
"""A space of no width: what it separates is no mention and no address any more."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~>:<&])")
_BREAKS = re.compile(r"(@|://|\bwww(?=\.)|\bmailto(?=:))", re.IGNORECASE)


def break_links(text: str) -> str:
    """One line in which no service finds a mention or an address."""
    return _BREAKS.sub(_part, flat(text))


def markdown_escape(text: str) -> str:
    """Text that Discord and Mattermost show as it is."""
    return _SPECIAL.sub(r"\\\1", break_links(text))


def markdown_link(label: str, url: str) -> str:
    label = markdown_escape(shorten(label, 300))
    target = safe_url(url)
    return f"[{label}]({target})" if 0 < len(target) <= LONGEST_URL else label


def flat(text: str) -> str:
    """One line, without characters that no one sees."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def shorten(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip("\\ ") + "…"


def safe_url(url: str) -> str:
    """An address that cannot end the link that it stands in."""
    return quote(url, safe="%/:?#@!$&*+,;=~-._")


def within(lines: list[str], longest: int, joint: int = 1) -> list[str]:
    """As many of the first lines as fit together, joined by `joint` characters."""
    kept: list[str] = []
    for line in lines:
        longest -= len(line) + joint
        if longest < 0:
            break
        kept.append(line)
    return kept


def _part(found: re.Match[str]) -> str:
    return found.group() + GAP if found.group() != "://" else f":{GAP}//"
