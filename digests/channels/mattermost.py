"""Mattermost webhooks: an edition as Markdown."""

from typing import Any

from digests.channels.chat_text import MAX_TEXT, fitting, markdown_escape, markdown_link, shorten
from digests.channels.message import EditionFacts, StoryFacts
from digests.channels.posting import ChatKind

LONGEST_TEXT = 16_383
"""Mattermost's limit for a post."""


class Mattermost(ChatKind):
    name, label = "mattermost", "Mattermost"

    def message(self, edition: EditionFacts) -> dict[str, Any]:
        return message_of(edition)


KIND = Mattermost()


def message_of(edition: EditionFacts) -> dict[str, Any]:
    """Return a message whose text is the edition in Markdown."""
    lines = [f"#### {markdown_link(edition.title, edition.url)}"]
    lines += [_story(story) for story in edition.stories]
    if edition.quiet:
        lines.append(edition.quiet)
    if edition.also:
        also = [f"- {markdown_link(title, url)}" for title, url in edition.also]
        lines.append("\n".join(["**Also noted**", *also]))
    return {"text": "\n\n".join(fitting(lines, LONGEST_TEXT, 2))}


def _story(story: StoryFacts) -> str:
    mark = "*New:* " if story.is_update else ""
    text = markdown_escape(shorten(story.text, MAX_TEXT))
    sources = markdown_escape(shorten(", ".join(story.sources), 200))
    head = f"{mark}**{markdown_link(story.headline, story.url)}**"
    return "\n".join(part for part in (head, text, f"*{sources}*" if sources else "") if part)
