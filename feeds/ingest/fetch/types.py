"""The arguments and results of fetches: plain values, because models must not cross threads."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """The columns of a source that a fetch needs."""

    source_id: int
    url: str
    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class FetchResult:
    """The result of one fetch.

    `error` is a sentence for readers, or "" after a success. `status` is the HTTP status of the
    last hop, or 0 without a response. `retry_after` and `max_age` are in seconds, at most 24 hours.
    `permanent_url` is set if every hop of the redirect was permanent. `unreachable` means that
    there was no connection, because of the host or of our own network. `untrusted` means that the
    certificate of the host is invalid.
    """

    source_id: int
    url: str
    final_url: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    content_type: str = ""
    etag: str = ""
    last_modified: str = ""
    permanent_url: str = ""
    retry_after: int | None = None
    max_age: int | None = None
    milliseconds: int = 0
    error: str = ""
    unreachable: bool = False
    untrusted: bool = False

    @property
    def not_modified(self) -> bool:
        return self.status == 304
