"""An edition as plain text, for the terminal and for mail."""

import textwrap
from typing import Any

from digests.models import Digest

WIDTH = 78


def as_text(digest: Digest) -> str:
    """The whole edition, wrapped at 78 columns, each sentence with its citation numbers."""
    edition = digest.content
    title = f"Digest of {digest.date:%A, %-d %B %Y}"
    lines = [title, "=" * len(title), ""]
    if not edition["stories"]:
        lines += ["A quiet day: nothing new in your sources.", ""]
    for story in edition["stories"]:
        lines += _story(story)
    if edition["also"]:
        lines += ["Also noted", "----------"]
        lines += [f"- {also['title']} ({also['source']})" for also in edition["also"]]
        lines.append("")
    return "\n".join(lines)


def _story(story: dict[str, Any]) -> list[str]:
    mark = "[update] " if story["is_update"] else ""
    text = " ".join(
        f"{sentence['text']} {''.join(f'[{n}]' for n in sentence['cites'])}"
        for sentence in story["sentences"]
    )
    if why := story.get("why"):
        text += f" Why it matters: {why['text']} {''.join(f'[{n}]' for n in why['cites'])}"
    lines = textwrap.wrap(mark + story["headline"], WIDTH)
    lines += textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ")
    lines += [f"  [{c['number']}] {c['source']}: {c['url']}" for c in story["citations"]]
    return [*lines, ""]
