"""Discord webhooks: an edition as embeds."""

from typing import Any

from digests.channels.chat_text import LONGEST_URL, MAX_TEXT, markdown_escape, shorten
from digests.channels.message import EditionFacts, StoryFacts
from digests.channels.posting import ChatKind

MAX_EMBEDS, LONGEST_TITLE, LONGEST_TEXT, MAX_TOTAL = 10, 256, 4_096, 6_000
LONGEST_CONTENT = 2_000
"""Limits of Discord's API for webhooks and embeds."""


class Discord(ChatKind):
    name, label = "discord", "Discord"

    def message(self, edition: EditionFacts) -> dict[str, Any]:
        return message_of(edition)

    def plain(self, text: str) -> dict[str, Any]:
        return {"content": text, "allowed_mentions": {"parse": []}}


KIND = Discord()


def message_of(edition: EditionFacts) -> dict[str, Any]:
    """Return a message with one embed for each story. Mentions are disabled."""
    embeds: list[dict[str, Any]] = []
    characters_left = MAX_TOTAL
    for story in edition.stories[:MAX_EMBEDS]:
        embed = _story(story)
        size = len(embed["title"]) + len(embed["description"])
        if size > characters_left:
            break
        characters_left -= size
        embeds.append(embed)
    title = f"**{markdown_escape(edition.title)}**"
    content = "\n".join(part for part in (title, edition.quiet, edition.url) if part)
    shown = shorten(content, LONGEST_CONTENT)
    return {"content": shown, "embeds": embeds, "allowed_mentions": {"parse": []}}


def _story(story: StoryFacts) -> dict[str, Any]:
    text = markdown_escape(shorten(story.text, MAX_TEXT))
    sources = markdown_escape(shorten(", ".join(story.sources), 200))
    mark = "New: " if story.is_update else ""
    embed = {
        "title": shorten(mark + markdown_escape(shorten(story.headline, 120)), LONGEST_TITLE),
        "description": shorten("\n".join(p for p in (text, sources) if p), LONGEST_TEXT),
    }
    return embed | ({"url": story.url} if 0 < len(story.url) <= LONGEST_URL else {})
