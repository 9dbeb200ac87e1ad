"""What a fetch takes and what it returns: plain values, so that no model crosses threads."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """What a fetch needs to know of a source; no ORM crosses into the event loop."""

    source_id: int
    url: str
    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class FetchResult:
    """What came of one fetch. `error` is in words for the reader; empty when all went well.

    `status` is the HTTP status of the last hop, 0 when there was no answer.
    `retry_after` and `max_age` are seconds, already capped at 24 h.
    `permanent_url` is set when every hop of the redirect was permanent; `unreachable` when
    no connection came about, be it for the host or for our own network.
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

    @property
    def not_modified(self) -> bool:
        return self.status == 304
