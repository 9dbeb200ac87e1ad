"""Editions as an Atom feed (RFC 4287)."""

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.crypto import salted_hmac
from django.utils.feedgenerator import Atom1Feed
from django.utils.html import escape

from digests.channels.kind import ChannelKind
from digests.channels.links import FEED, digest_path, token_for
from digests.channels.titles import title_of
from digests.models import Channel, Digest

MAX_ENTRIES = 20
AUTHOR = "AI News"


class AtomFeed(ChannelKind):
    name, label = "feed", "Atom feed"
    takes_target = False
    is_pushed = False
    can_test = False
    renewal_label = "New address"

    def path(self, channel: Channel) -> str:
        return reverse("digest_feed", kwargs={"token": token_for(channel, FEED)})


KIND = AtomFeed()


class ContentFeed(Atom1Feed):
    """Adds <content> to entries; Django's own class writes summaries only."""

    def add_item_elements(self, handler: Any, item: Any) -> None:
        super().add_item_elements(handler, item)
        handler.addQuickElement("content", item["content"], {"type": "html"})


def atom(editions: Sequence[Digest], channel: Channel, absolute: Callable[[str], str]) -> str:
    """Return the feed as XML. `absolute` turns a path into an absolute URL."""
    site = absolute("/").rstrip("/")
    page = reverse("digest_global" if channel.is_global else "digest")
    feed = ContentFeed(
        title="AI News: site digest" if channel.is_global else "AI News: your digest",
        link=absolute(page),
        description="",
        feed_url=absolute(KIND.path(channel)),
        feed_guid=_urn("feed", channel.pk),
        author_name=AUTHOR,
    )
    for digest in editions:
        feed.add_item(
            title=_clean(_title(digest)),
            link=absolute(digest_path(digest)),
            description=_clean(_summary(digest)),
            unique_id=_urn("digest", digest.pk),
            pubdate=digest.known_until,
            updateddate=digest.created_at,
            content=_content(digest, site),
        )
    return feed.writeString("utf-8")


def _title(digest: Digest) -> str:
    stories = digest.content["stories"]
    return f"{title_of(digest)}: {stories[0]['headline'] if stories else 'a quiet day'}"


def _summary(digest: Digest) -> str:
    """The headlines as HTML, because Django declares summaries as HTML."""
    return escape("; ".join(story["headline"] for story in digest.content["stories"]))


def _content(digest: Digest, site: str) -> str:
    context = {"digest": digest, "edition": digest.content, "site": site}
    return _clean(render_to_string("digests/feed_entry.html", context))


def _clean(text: str) -> str:
    """Remove the characters that XML 1.0 does not allow."""
    return "".join(c for c in text if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff"))


def _urn(kind: str, pk: int) -> str:
    """A permanent id that differs between installations."""
    digest = salted_hmac(f"digests.feed.{kind}", str(pk), algorithm="sha256").digest()[:16]
    return uuid.UUID(bytes=digest, version=4).urn
