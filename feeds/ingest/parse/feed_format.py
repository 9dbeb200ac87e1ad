"""The types by which a feed format is declared. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from feeds.ingest.parse.budget import Budget
from feeds.ingest.parse.types import ParsedFeed


@dataclass(frozen=True, slots=True)
class Document:
    """A document that a server sent. `text` is UTF-8 without leading blanks, and never empty."""

    text: bytes
    content_type: str = ""
    url: str = ""
    budget: Budget = field(default_factory=Budget)

    @property
    def media_type(self) -> str:
        """The content type in lower case, without parameters."""
        return self.content_type.partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class FeedFormat:
    """A kind of feed.

    `name` has at most 10 characters and is stored as the `kind` of a source. `media_types` maps the
    types by which pages link to such feeds to their preference in requests, which is at most 1.
    `common_paths` are paths where a site that links to no feed may have one.

    `matches` returns whether a document has this format. It is called for every polled document, so
    it must check only the type or the first bytes. `read` returns the feed with its entries as they
    are written, or raises `ParseError` with a sentence for readers. It must call
    `document.budget.check()` for each entry, so that no document can block a worker.
    """

    name: str
    matches: Callable[[Document], bool]
    read: Callable[[Document], ParsedFeed]
    media_types: Mapping[str, float] = field(default_factory=dict)
    common_paths: tuple[str, ...] = ()
