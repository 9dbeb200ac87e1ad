"""Slack, by an incoming webhook: an edition as blocks."""

from typing import Any

from digests.channels.chat_text import (
    LONGEST_URL,
    MAX_TEXT,
    break_links,
    flat,
    safe_url,
    shorten,
    within,
)
from digests.channels.message import EditionFacts, StoryFacts
from digests.channels.posting import ChatKind

MAX_BLOCKS, LONGEST_TEXT, LONGEST_HEADER = 50, 3_000, 150
"""By Slack's reference of blocks."""


class Slack(ChatKind):
    name, label = "slack", "Slack"

    def message(self, edition: EditionFacts) -> dict[str, Any]:
        return message_of(edition)


KIND = Slack()


def message_of(edition: EditionFacts) -> dict[str, Any]:
    """Blocks in mrkdwn, where <, > and & are all that is special; `verbatim` makes no links."""
    header = {"type": "plain_text", "text": shorten(edition.title, LONGEST_HEADER), "emoji": False}
    blocks: list[dict[str, Any]] = [{"type": "header", "text": header}]
    blocks += [_section(_story(story)) for story in edition.stories]
    if edition.quiet:
        blocks.append(_section(edition.quiet))
    if edition.also:
        also = [f"• {_link(title, url)}" for title, url in edition.also]
        blocks.append(_section("\n".join(["*Also noted*", *within(also, LONGEST_TEXT - 20)])))
    if edition.url:
        blocks.append(_section(_link("Read it with all sources", edition.url)))
    text = shorten(escape(_one_line(edition)), LONGEST_TEXT)
    return {"text": text, "blocks": blocks[:MAX_BLOCKS], "unfurl_links": False}


def escape(text: str) -> str:
    """As Slack's reference says, and no mention by its plain name either."""
    text = flat(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return break_links(text)


def _one_line(edition: EditionFacts) -> str:
    return f"{edition.title}: " + ("; ".join(one.headline for one in edition.stories) or "quiet")


def _section(text: str) -> dict[str, Any]:
    shown = {"type": "mrkdwn", "text": shorten(text, LONGEST_TEXT), "verbatim": True}
    return {"type": "section", "text": shown}


def _link(label: str, url: str) -> str:
    label = escape(shorten(label, 300)).replace("|", "¦")
    target = safe_url(url).replace("&", "&amp;")
    return f"<{target}|{label}>" if 0 < len(target) <= LONGEST_URL else label


def _story(story: StoryFacts) -> str:
    mark = "_New:_ " if story.is_update else ""
    text = escape(shorten(story.text, MAX_TEXT))
    sources = escape(shorten(", ".join(story.sources), 200))
    head = f"{mark}*{_link(story.headline, story.url)}*"
    return "\n".join(part for part in (head, text, f"_{sources}_" if sources else "") if part)
