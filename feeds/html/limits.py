"""Limits the work of an HTML parser on untrusted markup. Pure.

Three things cost an HTML5 parser more than linear time or memory: deeply nested elements (each new
block searches the open elements), formatting elements that are never closed (each block reopens all
of them), and tags with many attributes (each is compared with the others). Short markup can do
little harm and is not changed. Long markup is reduced to tags whose extent is unambiguous, so that
this module counts the same elements as the parser.
"""

import re
from collections import Counter

_SHORT = 50_000
_FEW_TAGS = 2_000
_MAX_TAGS = 100_000
_MAX_DEPTH = 400
_MAX_REOPENED = 100_000
"""Maximum number of formatting elements that later blocks reopen."""
_FEW_OPEN = 5
_NOAHS_ARK = 40
"""The parser keeps at most three equal formatting elements, of 13 names ("Noah's Ark clause")."""

_FORMATTING_NAMES = "b big code em font i nobr s small strike strong tt u"
_RAW_NAMES = "iframe noembed noframes noscript script style textarea title xmp"
_NOT_NESTED_NAMES = (
    "area base br col embed hr img input link meta param source track wbr form"
    " p li dt dd tr td th thead tbody tfoot option"
)
_BOUNDARY_NAMES = (
    "applet button caption desc foreignobject html marquee math mi mn mo ms mtext annotation-xml"
    " object select svg table td template th"
)
_BLOCK_NAMES = (
    "address article aside blockquote body center details dir div dl fieldset figcaption figure"
    " footer frameset h1 h2 h3 h4 h5 h6 head header hgroup listing main menu nav ol pre search"
    " section summary ul"
)
_FORMATTING = frozenset(["a", *_FORMATTING_NAMES.split()])
# The parser reads no tags inside these, and their content is not shown.
_RAW = frozenset(_RAW_NAMES.split())
# Empty elements, and those that the parser closes before they could nest.
_NOT_NESTED = frozenset(_NOT_NESTED_NAMES.split())
# No end tag closes an element outside of these.
_BOUNDARIES = frozenset(_BOUNDARY_NAMES.split())
_BLOCKS = _BOUNDARIES | frozenset(_BLOCK_NAMES.split())
# Links are left out, because at most one is open at a time.
_FORMATTING_START = re.compile(rf"<(?:{_FORMATTING_NAMES.replace(' ', '|')})[\s/]", re.IGNORECASE)
_ATTRIBUTE = r"""[\s/]*+[^\s"'<>/=]++(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s"'<>=`]++))?+"""
_TOKEN = re.compile(
    rf"""<(?P<end>/?)(?P<name>[a-zA-Z][^\s"'<>/=]*+)(?:[\s/](?:{_ATTRIBUTE}){{0,200}}+)?+[\s/]*+>
    |<!--(?:.*?--!?>|.*+)|<[!?][^>]*+>?+|</[^a-zA-Z][^>]*+>?+|<""",
    re.DOTALL | re.VERBOSE,
)
_PLAINTEXT = "plaintext"


def within_limits(html: str) -> str:
    """Return `html`. Long markup is reduced to simple tags; too expensive markup becomes text."""
    tags = html.count("<")
    if len(html) <= _SHORT and tags <= _FEW_TAGS and _reopens_little(html, tags):
        return html
    if tags > _MAX_TAGS:
        return _as_text(html)
    reader = _Reader()
    simple = reader.read(html)
    return _as_text(html) if reader.is_too_much else simple


def _as_text(html: str) -> str:
    return html.replace("<", "&lt;")


def _reopens_little(html: str, tags: int) -> bool:
    if tags * (tags + _NOAHS_ARK) <= _MAX_REOPENED:
        return True
    return tags * (len(_FORMATTING_START.findall(html)) + _NOAHS_ARK) <= _MAX_REOPENED


class _Reader:
    """Writes simple markup and counts the elements that it leaves open.

    It never counts too few: an end tag closes an element only if the parser would do so in any
    state.
    """

    def __init__(self) -> None:
        self.is_too_much = False
        self._open: list[str] = []
        self._formatting = 0
        self._closable: Counter[str] = Counter()
        self._reopened = 0

    def read(self, html: str) -> str:
        parts: list[str] = []
        at = 0
        while not self.is_too_much and (match := _TOKEN.search(html, at)):
            parts.append(html[at : match.start()])
            at = match.end()
            name = (match["name"] or "").lower()
            if name in _RAW and not match["end"]:
                at = _end_of_raw(html, at, name)
                parts.append(f"{match.group()}</iframe>" if name == "iframe" else "")
            elif name and name not in _RAW and name != _PLAINTEXT:
                parts.append(match.group())
                self._count(name, is_end=bool(match["end"]))
            elif match.group() == "<":
                parts.append("&lt;")
        return "".join(parts) + html[at:]

    def _count(self, name: str, *, is_end: bool) -> None:
        if name in _BOUNDARIES:
            self._closable.clear()
        if is_end:
            self._end(name)
        else:
            self._start(name)
        if self._formatting > _FEW_OPEN:
            self._reopened += self._formatting
        self.is_too_much = len(self._open) > _MAX_DEPTH or self._reopened > _MAX_REOPENED

    def _start(self, name: str) -> None:
        if name not in _NOT_NESTED:
            self._open.append(name)
        if name in _FORMATTING:
            self._formatting += 1
            self._closable[name] += 1

    def _end(self, name: str) -> None:
        barrier = _BOUNDARIES if name in _BLOCKS else _BLOCKS
        for at in range(len(self._open) - 1, -1, -1):
            if self._open[at] == name:
                break
            if self._open[at] in barrier:
                return
        else:
            return
        if name in _FORMATTING:
            if not self._closable[name]:
                return
            self._closable[name] -= 1
            self._formatting -= 1
        del self._open[at:]


def _end_of_raw(html: str, at: int, name: str) -> int:
    """Return the index after the end tag of an element whose content is raw text."""
    match = re.compile(rf"</{name}[\s/>][^>]*+>?+|</{name}>", re.IGNORECASE).search(html, at)
    return match.end() if match else len(html)
