"""An edition as plain text, for terminals and e-mails."""

import textwrap
from itertools import groupby
from typing import Any

from django.urls import reverse

from digests.channels.strip import edition_strip
from digests.channels.titles import quiet_day_message, title_of
from digests.models import Digest

WIDTH = 78


def as_text(digest: Digest, site: str = "") -> str:
    """Return the edition wrapped at 78 columns, with the citation numbers of each sentence.

    With `site`, the URL of the installation, it has links to the pages of the stories.
    """
    edition = digest.content
    lines = [*_heading(title_of(digest), "="), ""]
    if len(edition["stories"]) > 1:
        lines += _in_short(edition["stories"])
    if not edition["stories"]:
        lines += [quiet_day_message(digest), ""]
    for story in edition["stories"]:
        lines += _story(story, digest, site)
    lines += _trends(edition.get("trends", []))
    lines += _also(edition["also"])
    return "\n".join(lines)


def _heading(title: str, line: str) -> list[str]:
    return [title, line * len(title)]


def _wrap(text: str, first: str = "", rest: str = "") -> list[str]:
    """Wrap text without breaking URLs and long words."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _in_short(stories: list[dict[str, Any]]) -> list[str]:
    lines = _heading("In 20 seconds", "-")
    for story in stories:
        lines += _wrap(story["headline"], "- ", "  ")
    return [*lines, ""]


def _story(story: dict[str, Any], digest: Digest, site: str) -> list[str]:
    mark = "[update] " if story["is_update"] else ""
    text = " ".join(_cited(sentence) for sentence in story["sentences"])
    lines = _wrap(mark + story["headline"])
    lines += _wrap(text, "  ", "  ")
    if why := story.get("why"):
        lines += _wrap(f"Why it matters: {_cited(why)}", "  ", "  ")
    if before := story.get("before"):
        lines += _wrap(f"Previously ({before['date']}): {before['headline']}", "  ", "  ")
    if strip := edition_strip(story, digest):
        lines += [f"  {strip.as_text()}", *_wrap(strip.caption, "  ", "  ")]
    lines += [f"  [{c['number']}] {c['source']}: {c['url']}" for c in story["citations"]]
    if site:
        lines.append(f"  {site}{reverse('story', kwargs={'pk': story['story_id']})}")
    return [*lines, ""]


def _cited(sentence: dict[str, Any]) -> str:
    return f"{sentence['text']} {''.join(f'[{n}]' for n in sentence['cites'])}"


def _trends(trends: list[dict[str, Any]]) -> list[str]:
    if not trends:
        return []
    lines = _heading("Trending", "-")
    for trend in trends:
        counts = f"{trend['stories']} stories, {trend['before'] or 'none'} the week before"
        lines += _wrap(f"{trend['label']} ({counts}): {trend['title']}", "- ", "  ")
    return [*lines, ""]


def _also(also: list[dict[str, Any]]) -> list[str]:
    if not also:
        return []
    lines = _heading("Also noted", "-")
    for topic, notes in groupby(also, key=lambda note: str(note.get("topic", ""))):
        lines += [f"{topic}:"] if topic else []
        for note in notes:
            lines += _wrap(f"{note['title']} ({note['source']})", "- ", "  ")
    return [*lines, ""]
