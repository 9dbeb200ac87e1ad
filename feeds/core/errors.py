"""Exceptions about feeds. Their messages are sentences for readers."""


class FeedError(Exception):
    """The base class. `str()` returns a sentence for readers."""


class FetchError(FeedError):
    """The fetch got no usable response."""


class BlockedAddressError(FetchError):
    """The guard blocks the address, as protection against SSRF."""


class UnansweredError(FetchError):
    """A request was sent, but it is unknown whether it arrived."""


class ParseError(FeedError):
    """The document is no feed. `alternates` are the feeds that a web page links to."""

    def __init__(self, message: str, alternates: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.alternates = alternates


class LimitError(FeedError):
    """Parsing the document would exceed a limit."""
