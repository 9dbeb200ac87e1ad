"""Spans of requests, tasks, polls, queries and outgoing HTTP, if OTEL_EXPORTER_OTLP_ENDPOINT is
set.

Without the setting nothing of OpenTelemetry is imported, and each function returns at once.
`ainews_site.observe.otel` has the other half.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import urlsplit

from ainews_site.observe.context import carrying_ids

if TYPE_CHECKING:
    from ainews_site.observe import otel

T = TypeVar("T")


class Span(Protocol):
    """What callers may do with a span."""

    def set(self, name: str, value: str | int | float | bool) -> None: ...
    def fail(self, kind: str) -> None: ...
    def finish(self, route: str, status: int) -> None: ...


class _NoSpan:
    """Stands for a span while tracing is off."""

    def set(self, name: str, value: str | int | float | bool) -> None:
        return

    def fail(self, kind: str) -> None:
        return

    def finish(self, route: str, status: int) -> None:
        return

    def __enter__(self) -> "_NoSpan":
        return self

    def __exit__(self, *exception: object) -> None:
        return


_NO_SPAN = _NoSpan()
_otel: "type[otel.Otel] | None" = None


def enable(version: str, register_metrics: "otel.Register") -> None:
    """Import OpenTelemetry. Call it once, when Django starts, if the setting is on.

    `register_metrics` creates the instruments of the metrics that are recorded elsewhere.
    """
    global _otel
    from ainews_site.observe.otel import Otel

    _otel, Otel.version, Otel.registrations = Otel, version, [register_metrics]
    Otel.observe_databases()


def is_on() -> bool:
    return _otel is not None


def span(name: str, **attributes: str | int | float | bool) -> AbstractContextManager[Span]:
    """Return a context manager for a step of the program, such as a poll."""
    return _otel.current().internal(name, attributes) if _otel else _NO_SPAN


def http_span(method: str, url: str, purpose: str) -> AbstractContextManager[Span]:
    """Return a context manager for an outgoing request. Only the host of `url` is recorded.

    `purpose` is what it is for: feed, page, model or webhook.
    """
    return _otel.current().outgoing(method, _host(url), purpose) if _otel else _NO_SPAN


def request_span(method: str, parent: str) -> AbstractContextManager[Span]:
    """Return a context manager for an incoming request. `parent` is its `traceparent`, if any."""
    return _otel.current().incoming(method, parent) if _otel else _NO_SPAN


def begin_task(name: str, parent: str) -> None:
    if _otel:
        _otel.current().begin_task(name, parent)


def end_task(*, is_success: bool) -> None:
    if _otel:
        _otel.current().end_task(is_success=is_success)


def traceparent() -> str:
    """Return the W3C `traceparent` of the current span, or ""."""
    return _otel.traceparent() if _otel else ""


def carrying(function: Callable[[], T]) -> Callable[[], T]:
    """Return `function`, which then runs with our ids and span, in any thread."""
    function = carrying_ids(function)
    return _otel.carrying(function) if _otel else function


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "")[:200]
    except ValueError:
        return ""
