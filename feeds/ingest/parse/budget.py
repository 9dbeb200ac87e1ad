"""Limits for parsing one untrusted document: entries, nodes and CPU time. Pure."""

import heapq
import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from feeds.core.errors import LimitError

MAX_ENTRIES = 2_000
"""Maximum number of entries that are read from one document. The newest are read."""
MAX_TAGS = 400_000
"""Maximum number of start and end tags. libxml2 needs about 250 bytes of memory for each."""
MAX_ATTRIBUTES = 200_000
MAX_VALUES = 400_000
"""Maximum number of values in a JSON document."""
CPU_SECONDS = 10.0
_OLDEST = datetime.min.replace(tzinfo=UTC)
_SECTION = re.compile(rb"<!--|<!\[CDATA\[|<\?")
_SECTION_END = {b"<!--": b"-->", b"<![CDATA[": b"]]>", b"<?": b"?>"}
_TAG = re.compile(rb"""<[^<>"']*+(?:"[^"]*+"[^<>"']*+|'[^']*+'[^<>"']*+)*+>""")
_JSON_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)

T = TypeVar("T")


class Budget:
    """The CPU time that one document may take in this thread.

    Parsers call `check` for each entry.
    """

    __slots__ = ("_seconds", "_start")

    def __init__(self, seconds: float = CPU_SECONDS) -> None:
        self._seconds = seconds
        self._start = time.thread_time()

    @property
    def spent(self) -> float:
        """The CPU time in seconds since the start."""
        return time.thread_time() - self._start

    def check(self) -> None:
        """Raise LimitError if the time is used up."""
        if self.spent > self._seconds:
            raise LimitError(
                f"Reading the document took more than {self._seconds:g} seconds of CPU time."
            )


def newest(entries: Sequence[T], date_of: Callable[[T], datetime | None]) -> list[T]:
    """Return the MAX_ENTRIES newest of `entries` in their order.

    Entries without dates count as old.
    """
    if len(entries) <= MAX_ENTRIES:
        return list(entries)
    dates = [date_of(entry) or _OLDEST for entry in entries]
    chosen = heapq.nlargest(MAX_ENTRIES, range(len(entries)), key=dates.__getitem__)
    return [entries[at] for at in sorted(chosen)]


def check_xml(body: bytes, *, recovers: bool = False) -> None:
    """Raise LimitError if a parser would build a tree with too many nodes from `body`.

    A strict parser treats CDATA sections and comments as text, so they are not counted. A parser
    that `recovers` from errors may take them for markup.
    """
    if body.count(b"<") <= MAX_TAGS and body.count(b"=") <= MAX_ATTRIBUTES:
        return  # the usual case, at the speed of memchr
    markup = body if recovers else _without_sections(body)
    if markup.count(b"<") > MAX_TAGS:
        raise LimitError(f"The document has more than {MAX_TAGS // 2:,} elements.")
    if sum(tag.count(b"=") for tag in _TAG.findall(markup)) > MAX_ATTRIBUTES:
        raise LimitError(f"The document has more than {MAX_ATTRIBUTES:,} attributes.")


def _without_sections(body: bytes) -> bytes:
    """Return `body` without CDATA sections, comments and processing instructions."""
    parts, at, sections = [], 0, 0
    while match := _SECTION.search(body, at):
        parts.append(body[at : match.start()])
        end = _SECTION_END[match.group()]
        at = body.find(end, match.end()) + len(end)
        if at < match.end():
            return b" ".join(parts)
        sections += 1
        if sections > MAX_TAGS:
            raise LimitError(f"The document has more than {MAX_TAGS:,} sections and comments.")
    parts.append(body[at:])
    return b" ".join(parts)


def check_json(body: bytes) -> None:
    """Raise LimitError if `body` has too many values."""
    if _count_values(body) > MAX_VALUES and _count_values(_JSON_STRING.sub(b"", body)) > MAX_VALUES:
        raise LimitError(f"The document has more than {MAX_VALUES:,} values.")


def _count_values(body: bytes) -> int:
    """Return an upper bound: each value follows one of these characters."""
    return sum(map(body.count, (b",", b":", b"{", b"[")))
