"""An edition as a message of Slack, Discord or Mattermost, within the limits of each. Pure.

Titles come from feeds and must stay text: they can call nobody (@everyone, <!channel>), make
no link and no heading. The limits are those of the services' own references: Slack takes 50
blocks of 3,000 characters, Discord 10 embeds of 4,096 and 6,000 in all, Mattermost 16,383.
"""

import re
from typing import Any
from urllib.parse import quote

from digests.channels.message import EditionFacts, StoryFacts

SLACK_BLOCKS, SLACK_TEXT, SLACK_HEADER = 50, 3_000, 150
DISCORD_EMBEDS, DISCORD_TITLE, DISCORD_TEXT, DISCORD_ALL = 10, 256, 4_096, 6_000
DISCORD_CONTENT = 2_000
MATTERMOST_TEXT = 16_383
LONGEST_URL = 1_000
MOST_TEXT = 600
"""Characters of one story; an edition's own limit is 60 words."""
GAP = "\u200b"
"""A space of no width: what it parts is no mention and no address any more."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~>:<&])")
_BREAKS = re.compile(r"(@|://|\bwww(?=\.)|\bmailto(?=:))", re.IGNORECASE)


def plain(kind: str, text: str) -> dict[str, Any]:
    """A short message of our own, which needs no escaping."""
    if kind == "discord":
        return {"content": text, "allowed_mentions": {"parse": []}}
    return {"text": text}


def slack(edition: EditionFacts) -> dict[str, Any]:
    """Blocks in mrkdwn, where <, > and & are all that is special; `verbatim` makes no links."""
    header = {"type": "plain_text", "text": shorten(edition.title, SLACK_HEADER), "emoji": False}
    blocks: list[dict[str, Any]] = [{"type": "header", "text": header}]
    blocks += [_slack_section(_slack_story(story)) for story in edition.stories]
    if edition.quiet:
        blocks.append(_slack_section(edition.quiet))
    if edition.also:
        also = [f"• {_slack_link(title, url)}" for title, url in edition.also]
        blocks.append(_slack_section("\n".join(["*Also noted*", *_within(also, SLACK_TEXT - 20)])))
    if edition.url:
        blocks.append(_slack_section(_slack_link("Read it with all sources", edition.url)))
    text = shorten(slack_escape(_one_line(edition)), SLACK_TEXT)
    return {"text": text, "blocks": blocks[:SLACK_BLOCKS], "unfurl_links": False}


def discord(edition: EditionFacts) -> dict[str, Any]:
    """An embed a story; nobody is mentioned, whatever stands in them."""
    embeds: list[dict[str, Any]] = []
    left = DISCORD_ALL
    for story in edition.stories[:DISCORD_EMBEDS]:
        embed = _discord_story(story)
        size = len(embed["title"]) + len(embed["description"])
        if size > left:
            break
        left -= size
        embeds.append(embed)
    title = f"**{markdown_escape(edition.title)}**"
    content = "\n".join(part for part in (title, edition.quiet, edition.url) if part)
    shown = shorten(content, DISCORD_CONTENT)
    return {"content": shown, "embeds": embeds, "allowed_mentions": {"parse": []}}


def mattermost(edition: EditionFacts) -> dict[str, Any]:
    """Markdown in one text."""
    lines = [f"#### {_markdown_link(edition.title, edition.url)}"]
    lines += [_mattermost_story(story) for story in edition.stories]
    if edition.quiet:
        lines.append(edition.quiet)
    if edition.also:
        also = [f"- {_markdown_link(title, url)}" for title, url in edition.also]
        lines.append("\n".join(["**Also noted**", *also]))
    return {"text": "\n\n".join(_within(lines, MATTERMOST_TEXT, 2))}


def slack_escape(text: str) -> str:
    """As Slack's reference says, and no mention by its plain name either."""
    text = flat(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _BREAKS.sub(_part, text)


def markdown_escape(text: str) -> str:
    """Text that Discord and Mattermost show as it is."""
    return _SPECIAL.sub(r"\\\1", _BREAKS.sub(_part, flat(text)))


def flat(text: str) -> str:
    """One line, without characters that no one sees."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def shorten(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip("\\ ") + "…"


def safe_url(url: str) -> str:
    """An address that cannot end the link that it stands in."""
    return quote(url, safe="%/:?#@!$&*+,;=~-._")


def _part(found: re.Match[str]) -> str:
    return found.group() + GAP if found.group() != "://" else f":{GAP}//"


def _one_line(edition: EditionFacts) -> str:
    return f"{edition.title}: " + ("; ".join(one.headline for one in edition.stories) or "quiet")


def _slack_section(text: str) -> dict[str, Any]:
    shown = {"type": "mrkdwn", "text": shorten(text, SLACK_TEXT), "verbatim": True}
    return {"type": "section", "text": shown}


def _slack_link(label: str, url: str) -> str:
    label = slack_escape(shorten(label, 300)).replace("|", "¦")
    target = safe_url(url).replace("&", "&amp;")
    return f"<{target}|{label}>" if 0 < len(target) <= LONGEST_URL else label


def _slack_story(story: StoryFacts) -> str:
    mark = "_New:_ " if story.is_update else ""
    text = slack_escape(shorten(story.text, MOST_TEXT))
    sources = slack_escape(shorten(", ".join(story.sources), 200))
    head = f"{mark}*{_slack_link(story.headline, story.url)}*"
    return "\n".join(part for part in (head, text, f"_{sources}_" if sources else "") if part)


def _discord_story(story: StoryFacts) -> dict[str, Any]:
    text = markdown_escape(shorten(story.text, MOST_TEXT))
    sources = markdown_escape(shorten(", ".join(story.sources), 200))
    mark = "New: " if story.is_update else ""
    embed = {
        "title": shorten(mark + markdown_escape(shorten(story.headline, 120)), DISCORD_TITLE),
        "description": shorten("\n".join(p for p in (text, sources) if p), DISCORD_TEXT),
    }
    return embed | ({"url": story.url} if 0 < len(story.url) <= LONGEST_URL else {})


def _mattermost_story(story: StoryFacts) -> str:
    mark = "*New:* " if story.is_update else ""
    text = markdown_escape(shorten(story.text, MOST_TEXT))
    sources = markdown_escape(shorten(", ".join(story.sources), 200))
    head = f"{mark}**{_markdown_link(story.headline, story.url)}**"
    return "\n".join(part for part in (head, text, f"*{sources}*" if sources else "") if part)


def _markdown_link(label: str, url: str) -> str:
    label = markdown_escape(shorten(label, 300))
    target = safe_url(url)
    return f"[{label}]({target})" if 0 < len(target) <= LONGEST_URL else label


def _within(lines: list[str], longest: int, joint: int = 1) -> list[str]:
    """As many of the first as fit together."""
    kept: list[str] = []
    for line in lines:
        longest -= len(line) + joint
        if longest < 0:
            break
        kept.append(line)
    return kept
