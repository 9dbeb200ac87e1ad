"""What reading one untrusted document may cost: entries, nodes and CPU time. Pure."""

import heapq
import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from feeds.core.errors import LimitError

MOST_ENTRIES = 2_000
"""Entries read from one document: the newest."""
MOST_TAGS = 400_000
"""Start and end tags; libxml2 needs about 250 bytes of memory for each."""
MOST_ATTRIBUTES = 200_000
MOST_VALUES = 400_000
"""Values of a JSON document."""
CPU_SECONDS = 10.0
_OLDEST = datetime.min.replace(tzinfo=UTC)
_SECTION = re.compile(rb"<!--|<!\[CDATA\[|<\?")
_SECTION_END = {b"<!--": b"-->", b"<![CDATA[": b"]]>", b"<?": b"?>"}
_TAG = re.compile(rb"""<[^<>"']*+(?:"[^"]*+"[^<>"']*+|'[^']*+'[^<>"']*+)*+>""")
_JSON_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)

T = TypeVar("T")


class Budget:
    """The CPU time of one thread for one document. Pure steps call `check` for each entry."""

    __slots__ = ("_seconds", "_start")

    def __init__(self, seconds: float = CPU_SECONDS) -> None:
        self._seconds = seconds
        self._start = time.thread_time()

    @property
    def spent(self) -> float:
        return time.thread_time() - self._start

    def check(self) -> None:
        """Raise LimitError when the time is used up."""
        if self.spent > self._seconds:
            raise LimitError(
                f"Reading the document took more than {self._seconds:g} seconds of CPU time."
            )


def newest(entries: Sequence[T], date_of: Callable[[T], datetime | None]) -> list[T]:
    """The MOST_ENTRIES newest of `entries`, in their order; the first where dates are missing."""
    if len(entries) <= MOST_ENTRIES:
        return list(entries)
    dates = [date_of(entry) or _OLDEST for entry in entries]
    chosen = heapq.nlargest(MOST_ENTRIES, range(len(entries)), key=dates.__getitem__)
    return [entries[at] for at in sorted(chosen)]


def check_xml(body: bytes, *, recovers: bool = False) -> None:
    """Raise LimitError when a parser would build a tree of too many nodes from `body`.

    CDATA sections and comments are text to a strict parser and are not counted. One that
    `recovers` may take them for markup.
    """
    if body.count(b"<") <= MOST_TAGS and body.count(b"=") <= MOST_ATTRIBUTES:
        return  # the usual case, at the speed of memchr
    markup = body if recovers else _without_sections(body)
    if markup.count(b"<") > MOST_TAGS:
        raise LimitError(f"The document has more than {MOST_TAGS // 2:,} elements.")
    if sum(tag.count(b"=") for tag in _TAG.findall(markup)) > MOST_ATTRIBUTES:
        raise LimitError(f"The document has more than {MOST_ATTRIBUTES:,} attributes.")


def _without_sections(body: bytes) -> bytes:
    """`body` without CDATA sections, comments and processing instructions."""
    parts, at, sections = [], 0, 0
    while found := _SECTION.search(body, at):
        parts.append(body[at : found.start()])
        end = _SECTION_END[found.group()]
        at = body.find(end, found.end()) + len(end)
        if at < found.end():
            return b" ".join(parts)
        sections += 1
        if sections > MOST_TAGS:
            raise LimitError(f"The document has more than {MOST_TAGS:,} sections and comments.")
    parts.append(body[at:])
    return b" ".join(parts)


def check_json(body: bytes) -> None:
    """Raise LimitError when `body` holds too many values."""
    if _most_values(body) > MOST_VALUES and _most_values(_JSON_STRING.sub(b"", body)) > MOST_VALUES:
        raise LimitError(f"The document has more than {MOST_VALUES:,} values.")


def _most_values(body: bytes) -> int:
    """An upper bound: each value follows one of these characters."""
    return sum(map(body.count, (b",", b":", b"{", b"[")))
