"""Fetches the full text of an article from its page, for feeds that contain only teasers."""

from dataclasses import replace

from feeds.core.errors import FetchError, ParseError
from feeds.core.sandbox import Sandbox
from feeds.ingest.fetch.client import Limits, fetch_one

LARGEST_PAGE = 3 * 1024 * 1024
"""Limit in bytes. Extracting the article from a page costs more than parsing a feed of its size."""


def extract_full_text(url: str, sandbox: Sandbox, limits: Limits | None = None) -> str:
    """Return the article at `url` as sanitised HTML.

    The page is parsed in `sandbox`. Raises FeedError, whose message is for readers, if the page
    can't be fetched or has no article.
    """
    limits = limits or Limits.from_settings()
    result = fetch_one(url, replace(limits, max_bytes=min(limits.max_bytes, LARGEST_PAGE)))
    if result.error:
        raise FetchError(result.error)
    if "html" not in (result.content_type or "text/html"):
        raise ParseError(f"The article is not a web page but {result.content_type[:60]}.")
    return str(
        sandbox.call(
            "feeds.ingest.parse.article:article_of",
            result.body,
            content_type=result.content_type,
            url=result.final_url,
        )
    )
