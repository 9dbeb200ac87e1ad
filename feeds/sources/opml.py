"""Reads and writes OPML 2.0 (opml.org/spec2), a format for lists of feeds. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lxml import etree

from feeds.core.errors import ParseError
from feeds.ingest.clean.links import absolute_url
from feeds.ingest.parse.budget import Budget, check_xml
from feeds.ingest.parse.encoding import to_utf8
from feeds.ingest.parse.feed import without_doctype
from feeds.ingest.parse.safe_xml import safe_parser
from feeds.ingest.parse.tolerant import repair, without_declaration

_MAX_URL = 2048
_MAX_TITLE = 300
_MAX_FOLDER = 100
_MAX_DEPTH = 20
_MAX_PROBLEMS = 5_000
_MAX_ATTRIBUTES = 100
"""With more attributes than this on an outline, their names are matched case-sensitively."""
_NOT_ALLOWED_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Outline:
    """A feed in the list. `folder` is the path of folder names, outermost first."""

    url: str
    title: str = ""
    site_url: str = ""
    folder: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Opml:
    """A whole list. `problems` are pairs of an address or name and why it cannot be followed."""

    outlines: tuple[Outline, ...]
    problems: tuple[tuple[str, str], ...] = ()
    title: str = ""

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Opml":
        """Return the list from the values that `read_values` returns."""
        outlines = [
            Outline(url, title, site_url, tuple(folder))
            for url, title, site_url, folder in values["outlines"]
        ]
        problems = [(line, reason) for line, reason in values["problems"]]
        return cls(tuple(outlines), tuple(problems), values["title"])


def read_values(data: bytes) -> dict[str, Any]:
    """Call `read_opml` and return JSON values, because untrusted lists are parsed in a sandbox."""
    opml = read_opml(data)
    outlines = [(feed.url, feed.title, feed.site_url, feed.folder) for feed in opml.outlines]
    return {"outlines": outlines, "problems": opml.problems, "title": opml.title}


def read_opml(data: bytes) -> Opml:
    """Parse an OPML file. Each address is returned once.

    Broken XML is read as far as it can be recovered. Raises ParseError if it is no OPML, and
    LimitError if parsing exceeds a limit.
    """
    budget = Budget()
    body, _ = to_utf8(data)
    body = without_declaration(repair(without_doctype(body))).strip()
    check_xml(body, recovers=True)
    root, broken = _tree(body)
    if root is None or _local(root) != "opml":
        raise ParseError("This is not an OPML file.")
    problems = (
        [("", "The XML is damaged. Only what could be recovered was imported.")] if broken else []
    )
    outlines: dict[str, Outline] = {}
    for element, folder in _walk(root):
        _read_outline(element, folder, outlines, problems)
        budget.check()
    if (more := len(problems) - _MAX_PROBLEMS) > 0:
        problems[_MAX_PROBLEMS:] = [("", f"{more:,} more lines could not be imported.")]
    return Opml(tuple(outlines.values()), tuple(problems), _title(root))


def _tree(body: bytes) -> tuple[Any, bool]:
    """Return the root element, and whether the XML is broken."""
    parser = safe_parser(recover=True)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None, True
    return root, any(entry.level_name != "WARNING" for entry in parser.error_log)


def _local(element: Any) -> str:
    return str(element.tag).rpartition("}")[2].lower()


def _title(root: Any) -> str:
    titles = (element for element in root.iter() if _local(element) == "title")
    return (next((title.text for title in titles), "") or "").strip()[:_MAX_TITLE]


def _walk(root: Any) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Yield each outline with the path of its folders.

    It is not recursive, because the file determines the depth.
    """
    waiting: list[tuple[Any, tuple[str, ...]]] = [(root, ())]
    while waiting:
        element, folder = waiting.pop()
        if _local(element) == "outline":
            yield element, folder
            if not _address(element) and (name := _name(element)[:_MAX_FOLDER].strip()):
                folder = (*folder, name)[:_MAX_DEPTH]
        waiting.extend((child, folder) for child in reversed(element))


def _attribute(element: Any, *names: str) -> str:
    """Return the first non-empty attribute of `names`, in any case, such as `xmlURL`."""
    for name in names:
        if value := (element.get(name) or "").strip():
            return str(value)
    if len(element.attrib) > _MAX_ATTRIBUTES:  # lxml takes quadratic time to list them
        return ""
    lowered = {str(key).lower(): str(value).strip() for key, value in element.items()}
    return next((lowered[name.lower()] for name in names if lowered.get(name.lower())), "")


def _address(element: Any) -> str:
    return _attribute(element, "xmlUrl", "feedUrl")


def _name(element: Any) -> str:
    return " ".join(_attribute(element, "title", "text").split())


def _read_outline(
    element: Any,
    folder: tuple[str, ...],
    outlines: dict[str, Outline],
    problems: list[tuple[str, str]],
) -> None:
    text = _address(element)
    if not text:
        if not len(element):
            problems.append((_name(element)[:200] or "empty entry", "No feed address."))
        return
    address = _usable(text)
    if not address:
        problems.append((text[:200], "Not a web address."))
    elif address in outlines:
        problems.append((text[:200], "Listed twice."))
    else:
        site = _usable(_attribute(element, "htmlUrl"))
        outlines[address] = Outline(address, _name(element)[:_MAX_TITLE], site, folder)


def _usable(text: str) -> str:
    """Return the address of a feed without blanks and `feed:`, or "" if it is invalid."""
    text = text.strip()
    if text[:5].lower() == "feed:":
        rest = text[5:].lstrip("/")
        text = rest if rest.lower().startswith(("http:", "https:")) else f"https://{rest}"
    try:
        address = absolute_url(text)
    except ValueError:
        return ""
    match = re.match(r"(https?)://[^\s/?#]+[^\s]*\Z", address, re.IGNORECASE)
    if not match or len(address) > _MAX_URL:
        return ""
    scheme, rest = address.split("://", 1)
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    return f"{scheme.lower()}://{host.lower() if '@' not in host else host}{rest[len(host) :]}"


def write_opml(title: str, outlines: Iterable[Outline]) -> bytes:
    """Return an OPML 2.0 file with `outlines` in their order and with nested folders."""
    root = etree.Element("opml", version="2.0")
    head = etree.SubElement(root, "head")
    etree.SubElement(head, "title").text = _xml_text(title)
    folders: dict[tuple[str, ...], Any] = {(): etree.SubElement(root, "body")}
    for outline in outlines:
        parent = _folder_element(folders, outline.folder)
        name = _xml_text(outline.title or outline.url)
        values = {"type": "rss", "text": name, "title": name, "xmlUrl": _xml_text(outline.url)}
        if outline.site_url:
            values["htmlUrl"] = _xml_text(outline.site_url)
        etree.SubElement(parent, "outline", values)
    data: bytes = etree.tostring(root, encoding="utf-8", xml_declaration=True, pretty_print=True)
    return data


def _folder_element(folders: dict[tuple[str, ...], Any], path: Sequence[str]) -> Any:
    for depth in range(1, len(path) + 1):
        key = tuple(path[:depth])
        if key not in folders:
            name = _xml_text(key[-1])
            parent = folders[key[:-1]]
            folders[key] = etree.SubElement(parent, "outline", {"text": name, "title": name})
    return folders[tuple(path)]


def _xml_text(text: str) -> str:
    return _NOT_ALLOWED_IN_XML.sub("", text)
