"""Convert a stored edition into the values that chats and webhooks get."""

from typing import Any

from django.conf import settings

from digests.channels.links import absolute, digest_path
from digests.channels.message import EditionFacts, StoryFacts
from digests.channels.titles import quiet_day_message, title_of
from digests.models import Digest


def facts_of(digest: Digest) -> EditionFacts:
    content = digest.content
    return EditionFacts(
        title=title_of(digest),
        url=settings.SITE_URL + digest_path(digest) if settings.SITE_URL else "",
        stories=tuple(_story(story) for story in content["stories"]),
        also=tuple(
            (also["title"], absolute("story", pk=also["story_id"])) for also in content["also"]
        ),
        quiet="" if content["stories"] else quiet_day_message(digest),
    )


def as_json(facts: EditionFacts, digest: Digest) -> dict[str, Any]:
    """The data of the generic webhook. `content` is the same as in the API."""
    return {
        "title": facts.title,
        "date": digest.date.isoformat(),
        "is_global": digest.is_global,
        "url": facts.url or None,
        "created_at": digest.created_at.isoformat(),
        "written_by": digest.written_by,
        "content": digest.content,
    }


def _story(story: dict[str, Any]) -> StoryFacts:
    citations = story["citations"]
    first = next((c["url"] for c in citations if is_web(c["url"])), "")
    return StoryFacts(
        headline=story["headline"],
        text=" ".join(sentence["text"] for sentence in story["sentences"]),
        url=absolute("story", pk=story["story_id"]) or first,
        sources=tuple(dict.fromkeys(citation["source"] for citation in citations)),
        is_update=story["is_update"],
    )


def is_web(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))
