"""Extracts the article from a web page. Pure.

Untrusted pages are parsed in a sandbox process, which imports this module but no Django.
"""

from typing import Any

from lxml import etree

from feeds.core.errors import ParseError
from feeds.html.sanitise import sanitise
from feeds.ingest.parse.encoding import to_utf8


def article_of(body: bytes, content_type: str, url: str) -> str:
    """Return the article of a page as sanitised HTML, without menus, comments and advertising.

    Raises ParseError if the page has no article.
    """
    page = to_utf8(body, content_type)[0].decode("utf-8", "replace").replace("\0", "")
    html = sanitise(_extract(page, url), url)
    if not html:
        raise ParseError("No article text was found on the page.")
    return html


def _extract(page: str, url: str) -> str:
    import trafilatura  # takes 0.4 s, and most sources need no full texts

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
