"""Take an article's whole text from its page, where a feed gives but a teaser."""

from dataclasses import replace
from typing import Any

from lxml import etree

from feeds.core.errors import FetchError, ParseError
from feeds.html.sanitise import sanitise
from feeds.ingest.fetch.client import Limits, fetch_one
from feeds.ingest.parse.encoding import to_utf8

LARGEST_PAGE = 3 * 1024 * 1024
"""Reading a page costs more than reading a feed; no article is longer."""


def extract_full_text(url: str, limits: Limits | None = None) -> str:
    """The article at `url` as sanitised HTML; FeedError, in words, when there is none."""
    limits = limits or Limits.from_settings()
    result = fetch_one(url, replace(limits, max_bytes=min(limits.max_bytes, LARGEST_PAGE)))
    if result.error:
        raise FetchError(result.error)
    if "html" not in (result.content_type or "text/html"):
        raise ParseError(f"The article is not a web page but {result.content_type[:60]}.")
    return article_of(result.body, result.content_type, result.final_url)


def article_of(body: bytes, content_type: str, url: str) -> str:
    """The article within the bytes of a page, without menus, comments and advertising."""
    page = to_utf8(body, content_type)[0].decode("utf-8", "replace").replace("\0", "")
    html = sanitise(_extract(page, url), url)
    if not html:
        raise ParseError("No article text was found on the page.")
    return html


def _extract(page: str, url: str) -> str:
    import trafilatura  # takes 0.4 s, and most readers never ask for whole articles

    options: dict[str, Any] = {
        "output_format": "html",
        "include_links": True,
        "include_images": True,
        "include_formatting": True,
        "include_comments": False,
    }
    try:
        return trafilatura.extract(page, url=url, **options) or ""
    except (etree.LxmlError, ValueError, RecursionError):
        raise ParseError("The article page could not be parsed.") from None
