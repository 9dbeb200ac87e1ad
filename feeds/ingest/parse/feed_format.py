"""What a kind of feed declares. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from feeds.ingest.parse.budget import Budget
from feeds.ingest.parse.types import ParsedFeed


@dataclass(frozen=True, slots=True)
class Document:
    """What a server sent: `text` in UTF-8 without leading blanks, never empty."""

    text: bytes
    content_type: str = ""
    url: str = ""
    budget: Budget = field(default_factory=Budget)

    @property
    def media_type(self) -> str:
        return self.content_type.partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class FeedFormat:
    """A kind of feed.

    `name` has at most 10 characters and is kept as the `kind` of a source. `media_types` maps the
    types by which pages link such feeds to how much they are preferred in requests, up to 1.
    `common_paths` are where a site without links may keep one.

    `matches` says whether a document is of this kind. It is asked of every document that is
    polled, so it must look at the type or the first bytes alone. `read` returns the feed, its
    entries as they are written, or raises `ParseError` with a sentence for the reader. It calls
    `document.budget.check()` for each entry, so that none can hold up a worker.
    """

    name: str
    matches: Callable[[Document], bool]
    read: Callable[[Document], ParsedFeed]
    media_types: Mapping[str, float] = field(default_factory=dict)
    common_paths: tuple[str, ...] = ()
