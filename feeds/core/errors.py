"""What can go wrong with a feed, each said in a sentence that a reader understands."""


class FeedError(Exception):
    """Root of the app's exceptions; `str()` is a sentence for the reader."""


class FetchError(FeedError):
    """No usable answer came."""


class BlockedAddressError(FetchError):
    """The address leads to a place that the platform must not reach (SSRF guard)."""


class UnansweredError(FetchError):
    """Something was sent, and whether it arrived is not known."""


class ParseError(FeedError):
    """The document is no feed. `alternates` are feeds that the page itself names."""

    def __init__(self, message: str, alternates: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.alternates = alternates


class LimitError(FeedError):
    """The document costs more to read than one document may."""
