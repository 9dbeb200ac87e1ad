"""Parses the bytes of a feed: with the fast strict parser, else with tolerant ones. Pure."""

import re
from dataclasses import replace
from operator import attrgetter
from typing import Any
from urllib.parse import urljoin

from lxml import etree, html

from feeds.core.errors import ParseError
from feeds.html.sanitise import plain_title, to_text
from feeds.ingest.parse.budget import Budget, check_xml, newest
from feeds.ingest.parse.encoding import to_utf8
from feeds.ingest.parse.fast import read_tree
from feeds.ingest.parse.feed_format import Document
from feeds.ingest.parse.formats import media_types, recognise
from feeds.ingest.parse.safe_xml import safe_parser
from feeds.ingest.parse.tolerant import (
    ENTRY_START,
    read_tolerantly,
    recover_tree,
    repair,
    without_declaration,
)
from feeds.ingest.parse.types import ParsedFeed

# Possessive by construction: no part can match what another one begins with.
_PROLOGUE = re.compile(rb"\A(?:\s+|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
_DOCTYPE = re.compile(
    rb"""<!DOCTYPE(?:"[^"]*"|'[^']*'|[^\["'>])*+
    (?:\[(?P<subset>(?:<!--(?:.*?-->|.*+)|<\?(?:.*?\?>|.*+)|"[^"]*+"|'[^']*+'|[^\]"'])*+)\]\s*+)?>""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_HTML_START = re.compile(rb"<!doctype\s+html|<html[\s>]|<head[\s>]|<body[\s>]", re.IGNORECASE)
_PAGE_HEAD = 500_000
_LINK = re.compile(
    rb"<!--(?:.*?-->|.*+)|<script\b(?:.*?</script|.*+)|(<link\b[^<>]{0,2000}>)",
    re.IGNORECASE | re.DOTALL,
)
_MAX_LINKS = 1_000
_MAX_DESCRIPTION = 5_000


def parse_feed(
    body: bytes, content_type: str = "", url: str = "", budget: Budget | None = None
) -> ParsedFeed:
    """Parse the feed in `body`.

    `url` is the address of the document, by which the alternates of a web page are resolved. The
    title and the description of the feed are returned as plain text, the entries as they are
    written. Raises ParseError if it is no feed, and LimitError if it exceeds `budget`.
    """
    budget = budget or Budget()
    text, complaint = to_utf8(body, content_type)
    text = text.lstrip(b" \t\r\n\0")  # nothing may stand before an XML declaration
    if not text:
        raise ParseError("The document is empty.")
    document = Document(text, content_type, url, budget)
    format = recognise(document)
    feed = _limit_entries(format.read(document)) if format else _read_xml(text, url, budget)
    complaints = [text for text in (complaint, feed.complaint, left_out(feed)) if text]
    return replace(
        feed,
        kind=format.name if format else feed.kind,
        title=plain_title(feed.title),
        description=to_text(feed.description[:_MAX_DESCRIPTION]),
        complaint=" ".join(complaints),
    )


def _limit_entries(feed: ParsedFeed) -> ParsedFeed:
    entries = newest(feed.entries, attrgetter("published"))
    return replace(feed, entries=tuple(entries), total=max(feed.total, len(feed.entries)))


def left_out(feed: ParsedFeed) -> str:
    """Return a sentence on entries that were not read, or "" if all were."""
    read = len(feed.entries)
    if feed.total <= read:
        return ""
    return f"The feed has {feed.total:,} entries; only the newest {read:,} were read."


def _read_xml(body: bytes, url: str, budget: Budget) -> ParsedFeed:
    plain = without_doctype(body)
    root, problem = _strict_tree(plain)
    feed = None if root is None else read_tree(root, b"xml:base" in plain, budget)
    if feed is not None and (feed.entries or not ENTRY_START.search(plain)):
        return feed
    _refuse_page(body, url)
    error = _why_no_feed(root)
    root = None  # free its memory before another tree is built
    recovered = _recover(plain, problem, budget)
    if recovered is not None and (recovered.entries or feed is None):
        return recovered
    if feed is not None:
        return feed
    raise ParseError(error)


def without_doctype(body: bytes) -> bytes:
    """Remove the DOCTYPE. Raises ParseError if it declares entities.

    So no parser can expand them (billion laughs, XXE). Without a DOCTYPE, an undeclared `&nbsp;`
    is an error that can be repaired. With one, libxml2 assumes that it is declared elsewhere, and
    drops it.
    """
    plain = body.replace(b"\0", b"") if b"\0" in body[:4096] else body
    prologue = _PROLOGUE.match(plain)
    start = prologue.end() if prologue else 0
    if plain[start : start + 9].upper() != b"<!DOCTYPE":
        return body
    match = _DOCTYPE.match(plain, start)
    subset = (match["subset"] or b"") if match else plain[start:]
    if b"<!ENTITY" in subset.upper():
        raise ParseError("The document declares XML entities, which are not allowed.")
    # An unterminated DOCTYPE loses its keyword, so that it can't declare default attributes.
    return plain[:start] + plain[match.end() if match else start + 9 :]


def _strict_tree(body: bytes) -> tuple[Any, str]:
    """Return the tree of a well-formed document, or None with the error of the parser."""
    check_xml(body)
    parser = safe_parser()
    try:
        return etree.fromstring(body, parser), ""
    except (etree.XMLSyntaxError, ValueError) as error:
        return None, str(error).partition("\n")[0].partition(" (<string>")[0]


def _recover(body: bytes, problem: str, budget: Budget) -> ParsedFeed | None:
    """Parse a broken document by, in this order: repairing it, feedparser, libxml2's recovery."""
    repaired = without_declaration(repair(body)).lstrip()
    complaint = f"The XML is malformed ({problem})." if problem else "The XML is unusual."
    has_bases = b"xml:base" in body
    tree, remaining = _strict_tree(repaired)
    feed = None if tree is None else read_tree(tree, has_bases, budget)
    if feed is not None and feed.entries:
        return replace(feed, complaint=f"{complaint} It was repaired.")
    feed = read_tolerantly(repaired, budget)
    if feed is None or not feed.entries:
        tree = recover_tree(repaired)
        feed = (None if tree is None else read_tree(tree, has_bases, budget)) or feed
    if feed is None:
        return None
    count = feed.total
    recovered = f"{count} {'entry was' if count == 1 else 'entries were'} recovered."
    return replace(feed, complaint=f"{complaint} {recovered}" if remaining or problem else "")


def _refuse_page(body: bytes, url: str) -> None:
    """Raise ParseError, with the feeds that it links to, if the document is a web page."""
    start = _HTML_START.search(body[:2000])
    if not start or re.search(rb"<(?:rss|feed|rdf:rdf)[\s>]", body[: start.start()], re.I):
        return
    alternates = _alternates(body, url)
    target = "to a feed; add the page to find it" if alternates else "to no feed"
    raise ParseError(f"This is a web page, not a feed. It links {target}.", alternates)


def _alternates(body: bytes, url: str) -> tuple[str, ...]:
    """Return the addresses of the feeds that a page links to.

    Only the link elements are parsed, because libxml2 takes minutes for a tag with very many
    attributes.
    """
    links = [link for link in _LINK.findall(body[:_PAGE_HEAD]) if link][:_MAX_LINKS]
    parser = html.HTMLParser(encoding="utf-8", recover=True)
    try:
        page = html.document_fromstring(b"".join(links), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return ()
    types = media_types()
    feeds: dict[str, None] = {}
    for link in page.iter("link"):
        kind = link.get("type", "").partition(";")[0].strip().lower()
        if "alternate" in link.get("rel", "").lower().split() and kind in types:
            _add_link(feeds, url, link.get("href", "").strip())
    return tuple(feeds)


def _add_link(feeds: dict[str, None], url: str, href: str) -> None:
    try:
        address = urljoin(url, href)
    except ValueError:
        return
    if href and address.startswith(("http://", "https://", "/")):
        feeds[address] = None


def _why_no_feed(root: Any) -> str:
    if root is None:
        return "This is neither a feed nor a web page that links to one."
    outermost = str(root.tag).rpartition("}")[2][:50]
    return f"This is XML but not a feed: its root element is <{outermost}>."
