"""Slack webhooks: an edition as blocks."""

from typing import Any

from digests.channels.chat_text import (
    LONGEST_URL,
    MAX_TEXT,
    break_links,
    fitting,
    one_line,
    safe_url,
    shorten,
)
from digests.channels.message import EditionFacts, StoryFacts
from digests.channels.posting import ChatKind

MAX_BLOCKS, LONGEST_TEXT, LONGEST_HEADER = 50, 3_000, 150
"""Slack's limits for blocks."""


class Slack(ChatKind):
    name, label = "slack", "Slack"

    def message(self, edition: EditionFacts) -> dict[str, Any]:
        return message_of(edition)


KIND = Slack()


def message_of(edition: EditionFacts) -> dict[str, Any]:
    """Return a message with blocks in mrkdwn. `verbatim` stops Slack from creating links."""
    header = {"type": "plain_text", "text": shorten(edition.title, LONGEST_HEADER), "emoji": False}
    blocks: list[dict[str, Any]] = [{"type": "header", "text": header}]
    blocks += [_section(_story(story)) for story in edition.stories]
    if edition.quiet:
        blocks.append(_section(edition.quiet))
    if edition.also:
        also = [f"• {_link(title, url)}" for title, url in edition.also]
        blocks.append(_section("\n".join(["*Also noted*", *fitting(also, LONGEST_TEXT - 20)])))
    if edition.url:
        blocks.append(_section(_link("Read it with all sources", edition.url)))
    text = shorten(escape(_fallback_text(edition)), LONGEST_TEXT)
    return {"text": text, "blocks": blocks[:MAX_BLOCKS], "unfurl_links": False}


def escape(text: str) -> str:
    """Escape the control characters of mrkdwn, and break mentions and URLs."""
    text = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return break_links(text)


def _fallback_text(edition: EditionFacts) -> str:
    headlines = "; ".join(story.headline for story in edition.stories)
    return f"{edition.title}: " + (headlines or "quiet")


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
