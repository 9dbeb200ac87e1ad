"""Reads a well-formed RSS, RDF or Atom document in one pass over its lxml tree. Pure."""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from html import escape
from typing import Any

from lxml import etree

from feeds.ingest.parse.budget import Budget, newest
from feeds.ingest.parse.dates import parse_date
from feeds.ingest.parse.types import Enclosure, Entry, ParsedFeed

_PREFIXES = {
    "http://www.w3.org/2005/atom": "",
    "http://purl.org/atom/ns#": "",
    "http://purl.org/rss/1.0/": "",
    "http://my.netscape.com/rdf/simple/0.9/": "",
    "http://channel.netscape.com/rdf/simple/0.9/": "",
    "http://backend.userland.com/rss2": "",
    "http://blogs.law.harvard.edu/tech/rss": "",
    "http://purl.org/rss/1.0/modules/content/": "content:",
    "http://purl.org/dc/elements/1.1/": "dc:",
    "http://purl.org/dc/elements/1.0/": "dc:",
    "http://purl.org/dc/terms/": "dcterms:",
    "http://search.yahoo.com/mrss/": "media:",
    "http://search.yahoo.com/mrss": "media:",
    "http://www.itunes.com/dtds/podcast-1.0.dtd": "itunes:",
    "http://rssnamespace.org/feedburner/ext/1.0": "feedburner:",
    "http://purl.org/rss/1.0/modules/syndication/": "sy:",
    "http://www.w3.org/1999/xhtml": "xhtml:",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#": "rdf:",
}
_RDF_ABOUT = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}about"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_PERIODS = {"hourly": 3600, "daily": 86400, "weekly": 604800, "monthly": 2592000}
_DAY_SECONDS = 86400
_WEEKDAYS = {
    name: number
    for number, name in enumerate(
        ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    )
}
_PUBLISHED = ("pubdate", "published", "issued", "dcterms:issued", "dc:date", "dcterms:created")
_UPDATED = ("updated", "modified", "dcterms:modified")
_DATED = frozenset((*_PUBLISHED, *_UPDATED))
_HTML = ("content:encoded", "content", "xhtml:body", "xhtml:div")
_SUMMARY = ("description", "summary", "tagline", "media:description", "itunes:summary")
_AUTHOR = ("dc:creator", "author", "itunes:author")
_CATEGORIES = frozenset({"category", "dc:subject"})
_REPEATED = frozenset(
    {"link", "enclosure", "media:content", "media:thumbnail", "media:group", "itunes:image"}
)
_names: dict[Any, str] = {}


def read_tree(root: Any, has_bases: bool, budget: Budget) -> ParsedFeed | None:
    """Return the feed below `root`, or None if the root element isn't that of a feed.

    `has_bases` tells whether xml:base occurs anywhere, because looking it up is expensive.
    """
    if _name(root.tag).startswith("?:"):
        _drop_namespace(root)
    outermost = _name(root.tag).removeprefix("rdf:").rpartition(":")[2]
    if outermost not in ("rss", "rdf", "feed", "channel"):
        return None
    channel = root if outermost == "feed" else _channel_of(root)
    items = [child for parent in _parents(root, channel) for child in parent if _is_item(child)]
    entries = []
    for item in newest(items, _published):
        entries.append(_read_entry(item, has_bases))
        budget.check()
    feed = _read_feed(root, channel, "atom" if outermost == "feed" else "rss")
    return replace(feed, entries=tuple(entries), total=len(items))


def _published(item: Any) -> datetime | None:
    dated = {_name(child.tag): child for child in item if _name(child.tag) in _DATED}
    moment: datetime | None = _first_date(dated, (*_PUBLISHED, *_UPDATED))
    return moment


def _drop_namespace(root: Any) -> None:
    """Remove the namespace of the root from all elements. Some feeds invent one for RSS itself."""
    namespace = root.tag.rpartition("}")[0] + "}"
    for element in root.iter(etree.Element):
        element.tag = element.tag.removeprefix(namespace)


def _name(tag: Any) -> str:
    """Return `prefix:local` for `{namespace}Local`, whatever the spelling of the namespace."""
    known = _names.get(tag)
    if known is not None:
        return known
    if not isinstance(tag, str):  # the tag of a comment or an instruction is a function
        return "!"
    namespace, _, local = tag.rpartition("}")
    name = _PREFIXES.get(namespace.lstrip("{").lower(), "?:" if namespace else "") + local.lower()
    if len(_names) < 2000:  # documents with invented names must not make it grow without limit
        _names[tag] = name
    return name


def _channel_of(root: Any) -> Any:
    return next((child for child in root if _name(child.tag).endswith("channel")), root)


def _parents(root: Any, channel: Any) -> Iterable[Any]:
    yield root
    if channel is not root:
        yield from (child for child in root if _name(child.tag).endswith("channel"))


def _is_item(element: Any) -> bool:
    return _name(element.tag).rpartition(":")[2] in ("item", "entry")


def _text(element: Any) -> str:
    if len(element):
        return "".join(element.itertext()).strip()
    return (element.text or "").strip()


def _markup(element: Any) -> str:
    """Return the HTML of an element, which may be escaped text, plain text or a child tree."""
    if len(element):
        return _inner_xml(element)
    text = (element.text or "").strip()
    kind = element.get("type")
    if kind and text and kind in ("text", "text/plain") and element.get("mode") != "escaped":
        return escape(text, quote=False)
    return text


def _inner_xml(element: Any) -> str:
    """Return the content of `element` as HTML without namespaces.

    It serialises a copy, because lxml writes the namespaces of the parents. It makes one copy of
    the whole element, because each copy costs as much as parsing a small document.
    """
    copy = deepcopy(element)
    for child in copy.iter(etree.Element):
        child.tag = child.tag.rpartition("}")[2]
    copy.tag = "x"
    copy.attrib.clear()
    etree.cleanup_namespaces(copy)
    serialised: str = etree.tostring(copy, encoding="unicode", method="html", with_tail=False)
    return serialised.removeprefix("<x>").removesuffix("</x>").strip()


def _read_entry(item: Any, has_bases: bool) -> Entry:
    children: dict[str, Any] = {}
    repeated: list[tuple[str, Any]] = []
    categories: list[str] = []
    for child in item:
        name = _names.get(child.tag) or _name(child.tag)
        if name in _CATEGORIES:
            categories.append(child.get("label") or child.get("term") or _text(child))
        elif name in _REPEATED:
            repeated.append((name, child))
        elif name not in children:
            children[name] = child
    return _make_entry(item, children, repeated, categories, has_bases)


def _make_entry(
    item: Any,
    children: dict[str, Any],
    repeated: list[tuple[str, Any]],
    categories: list[str],
    has_bases: bool,
) -> Entry:
    # xml:base may be set on the content element, and must be read before that is changed.
    base = _base_of(item, children) if has_bases else ""
    links = [child for name, child in repeated if name == "link"]
    media = list(_flatten_media(repeated))
    return Entry(
        guid=_guid(item, children),
        link=_link(links, children),
        title=_first_markup(children, ("title", "dc:title", "media:title", "itunes:title")),
        author=_author(children),
        html=_first_markup(children, _HTML),
        summary_html=_first_markup(children, _SUMMARY) or _media_description(media),
        published=_first_date(children, _PUBLISHED),
        updated=_first_date(children, _UPDATED),
        categories=tuple([name for name in categories if name]),
        enclosures=tuple(_enclosures(media, links)) if media or len(links) > 1 else (),
        image_url=_image(media) if media else "",
        base_url=base,
        comments_url=_text(children["comments"]) if "comments" in children else "",
    )


def _base_of(item: Any, children: dict[str, Any]) -> str:
    for name in _HTML:
        if name in children:
            return children[name].base or ""
    return item.base or ""


def _first_markup(children: dict[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        if name in children and (markup := _markup(children[name])):
            return markup
    return ""


def _first_date(children: dict[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        if name in children and (moment := parse_date(children[name].text)):
            return moment
    return None


def _guid(item: Any, children: dict[str, Any]) -> str:
    for name in ("guid", "id"):
        if name in children and (text := _text(children[name])):
            return text
    return (item.get(_RDF_ABOUT) or "").strip()


def _link(links: list[Any], children: dict[str, Any]) -> str:
    if "feedburner:origlink" in children and (original := _text(children["feedburner:origlink"])):
        return original
    for link in links:
        if text := _text(link):
            return text
    for link in links:
        if link.get("href") and link.get("rel", "alternate") == "alternate":
            return str(link.get("href")).strip()
    return _guid_as_link(children)


def _guid_as_link(children: dict[str, Any]) -> str:
    guid = children.get("guid")
    if guid is None or guid.get("isPermaLink", guid.get("ispermalink", "true")) == "false":
        return ""
    text = _text(guid)
    return text if text.startswith(("http://", "https://")) else ""


def _author(children: dict[str, Any]) -> str:
    for name in _AUTHOR:
        if name in children and (author := _person(children[name])):
            return author
    return ""


def _person(element: Any) -> str:
    """Return the name of a person. Atom has an element for it, RSS `mail@example.org (Name)`."""
    for child in element:
        if _name(child.tag).endswith("name"):
            return _text(child)
    text = _text(element)
    mail, bracket, name = text.partition("(")
    return name.rstrip(") ") if bracket and "@" in mail and name.strip(") ") else text


def _flatten_media(repeated: list[tuple[str, Any]]) -> Iterable[tuple[str, Any]]:
    for name, element in repeated:
        if name == "media:group":
            yield from ((_name(child.tag), child) for child in element)
            continue
        if name != "link":
            yield name, element
        if name == "media:content":
            yield from ((_name(child.tag), child) for child in element)


def _media_description(media: list[tuple[str, Any]]) -> str:
    return next((_markup(el) for name, el in media if name == "media:description"), "")


def _enclosures(media: list[tuple[str, Any]], links: list[Any]) -> Iterable[Enclosure]:
    for name, element in media:
        if name == "enclosure" and element.get("url"):
            yield Enclosure(element.get("url"), element.get("type", ""), _length(element))
        elif name == "media:content" and element.get("url"):
            kind = element.get("type") or element.get("medium") or ""
            if kind.startswith(("audio", "video")):
                yield Enclosure(element.get("url"), kind, _length(element))
    for link in links:
        if link.get("rel") == "enclosure" and link.get("href"):
            yield Enclosure(link.get("href"), link.get("type", ""), _length(link))


def _length(element: Any) -> int | None:
    digits = (element.get("length") or element.get("fileSize") or "").strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 16 else None


def _image(media: list[tuple[str, Any]]) -> str:
    for name, element in media:
        if name == "media:content" and _is_image(element):
            return str(element.get("url"))
    for name, element in media:
        if name in ("media:thumbnail", "itunes:image"):
            return str(element.get("url") or element.get("href") or "")
    return ""


def _is_image(element: Any) -> bool:
    url = element.get("url") or ""
    kind = element.get("medium") or element.get("type") or ""
    has_suffix = url.partition("?")[0].lower().endswith((".jpg", ".jpeg", ".png", ".webp", ".gif"))
    return bool(url) and (kind.startswith("image") or (not kind and has_suffix))


def _read_feed(root: Any, channel: Any, kind: str) -> ParsedFeed:
    children: dict[str, Any] = {}
    links: list[Any] = []
    for child in channel:
        name = _name(child.tag)
        if name == "link":
            links.append(child)
        else:
            children.setdefault(name, child)
    return ParsedFeed(
        kind=kind,
        title=_first_markup(children, ("title", "dc:title")),
        site_url=_link(links, {}),
        description=_first_markup(children, ("description", "subtitle", "tagline")),
        language=_language(root, channel, children),
        ttl=_min_interval(children),
        skip_hours=_skip_hours(children.get("skiphours")),
        skip_days=_skip_days(children.get("skipdays")),
    )


def _language(root: Any, channel: Any, children: dict[str, Any]) -> str:
    for name in ("language", "dc:language"):
        if name in children and (text := _text(children[name])):
            return text
    return str(channel.get(_XML_LANG) or root.get(_XML_LANG) or "")


def _min_interval(children: dict[str, Any]) -> int | None:
    """Return the requested seconds between polls, at most a day."""
    if "ttl" in children and (minutes := _number(children["ttl"])):
        return min(minutes * 60, _DAY_SECONDS)
    if "sy:updateperiod" in children:
        period = _PERIODS.get(_text(children["sy:updateperiod"]).lower(), 3600)
        frequency = _number(children.get("sy:updatefrequency")) or 1
        return min(period // frequency, _DAY_SECONDS)
    return None


def _number(element: Any) -> int | None:
    digits = "" if element is None else _text(element)
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None


def _skip_hours(element: Any) -> frozenset[int]:
    hours = [] if element is None else [_number(child) for child in element]
    return frozenset(hour % 24 for hour in hours if hour is not None and hour <= 24)


def _skip_days(element: Any) -> frozenset[int]:
    names = [] if element is None else [_text(child).lower() for child in element]
    return frozenset(_WEEKDAYS[name] for name in names if name in _WEEKDAYS)
