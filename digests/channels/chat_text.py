"""Escape text for chat messages. Pure.

Titles come from feeds. They must not mention anybody (@everyone, <!channel>) and must not create
links or headings. The limits of each service are in its own module.
"""

import re
from urllib.parse import quote

LONGEST_URL = 1_000
MAX_TEXT = 600
"""Characters of one story. Summaries have at most 60 words, so this rarely cuts any."""
ZERO_WIDTH_SPACE = "\u200b"
"""A zero-width space. Services do not recognise a mention or URL that contains it."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~>:<&])")
_LINK_STARTS = re.compile(r"(@|://|\bwww(?=\.)|\bmailto(?=:))", re.IGNORECASE)


def break_links(text: str) -> str:
    """Return the text on one line, changed so that services find no mention or URL in it."""
    return _LINK_STARTS.sub(_break, one_line(text))


def markdown_escape(text: str) -> str:
    """Escape text so that Discord and Mattermost display it literally."""
    return _SPECIAL.sub(r"\\\1", break_links(text))


def markdown_link(label: str, url: str) -> str:
    label = markdown_escape(shorten(label, 300))
    target = safe_url(url)
    return f"[{label}]({target})" if 0 < len(target) <= LONGEST_URL else label


def one_line(text: str) -> str:
    """Return the text on one line, without unprintable characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def shorten(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip("\\ ") + "…"


def safe_url(url: str) -> str:
    """Quote the characters of a URL that could end the link around it."""
    return quote(url, safe="%/:?#@!$&*+,;=~-._")


def fitting(lines: list[str], longest: int, joint: int = 1) -> list[str]:
    """Return the first lines that fit into `longest` characters, with `joint` between them."""
    kept: list[str] = []
    for line in lines:
        longest -= len(line) + joint
        if longest < 0:
            break
        kept.append(line)
    return kept


def _break(match: re.Match[str]) -> str:
    return match.group() + ZERO_WIDTH_SPACE if match.group() != "://" else f":{ZERO_WIDTH_SPACE}//"
