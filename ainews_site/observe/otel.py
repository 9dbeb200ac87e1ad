"""Spans and durations by OpenTelemetry, sent by OTLP over HTTP; see ainews_site.observe.tracing.

Each process has providers of its own, made at its first span, as threads do not survive a fork.
They send in a thread, from a queue of limited length, so that a collector that is down or slow
delays nothing. What they record has no parameters, paths, addresses of readers, or messages.
"""

import atexit
import os
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.util import Finalize
from typing import Any, ClassVar, Self, TypeVar

from django.conf import settings
from django.db import connections
from django.db.backends.signals import connection_created
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ainews_site.observe.context import ids
from ainews_site.observe.tracing import Span

T = TypeVar("T")
Register = Callable[[Any, Callable[[float, dict[str, str]], Any]], None]
Attributes = Mapping[str, str | int | float | bool]

AT_EXIT = 3.0
"""Seconds that a process spends at its end to send what is left."""
LONGEST_SQL = 1000
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)
"""Upper bounds in seconds, from a cached page to a long task."""

_LITERAL = re.compile(r"'(?:[^']|'')*'")
_propagator = TraceContextTextMapPropagator()


class Otel:
    """The providers of one process."""

    version: ClassVar[str] = ""
    registrations: "ClassVar[list[Register]]" = []
    _current: "ClassVar[Otel | None]" = None
    _pid: ClassVar[int] = 0
    _lock: ClassVar[threading.Lock] = threading.Lock()

    @classmethod
    def current(cls) -> "Otel":
        """Return the providers of this process, made now if it has none."""
        if cls._pid != os.getpid() or cls._current is None:
            with cls._lock:
                if cls._pid != os.getpid() or cls._current is None:
                    cls._current, cls._pid = cls(), os.getpid()
        return cls._current

    @classmethod
    def observe_databases(cls) -> None:
        """Make spans of queries and Redis commands from now on."""
        connection_created.connect(_observe_connection, dispatch_uid="observe")
        for connection in connections.all(initialized_only=True):
            _observe_connection(connection=connection)
        if settings.REDIS_URL:
            _observe_redis()

    def __init__(self) -> None:
        resource = Resource.create(
            {
                "service.name": settings.OTEL_SERVICE_NAME,
                "service.version": self.version,
                "service.instance.id": str(uuid.uuid4()),
            }
        )
        self._traces = TracerProvider(sampler=_sampler(), resource=resource, shutdown_on_exit=False)
        self._traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        self._metrics = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
        self.tracer = self._traces.get_tracer("ainews")
        meter = self._metrics.get_meter("ainews")
        self.requests, self.calls, self.tasks = (
            meter.create_histogram(
                name, "s", description, explicit_bucket_boundaries_advisory=BUCKETS
            )
            for name, description in (
                ("http.server.request.duration", "Duration of requests."),
                ("http.client.request.duration", "Duration of outgoing requests."),
                ("ainews.task.duration", "Duration of tasks of the queue."),
            )
        )
        for register in self.registrations:
            register(meter, Observation)
        self._task: tuple[str, trace.Span, Any, float] | None = None
        # Processes of the queue leave by multiprocessing, which calls no atexit functions.
        Finalize(self, self.shut_down, exitpriority=10)
        atexit.register(self.shut_down)

    def shut_down(self) -> None:
        """Send what is left, for AT_EXIT seconds at most."""
        if Otel._current is not self or Otel._pid != os.getpid():
            return  # a fork has inherited this object, or it has been shut down
        Otel._current = None
        threads = [
            threading.Thread(target=provider.shutdown, daemon=True)
            for provider in (self._traces, self._metrics)
        ]
        until = time.monotonic() + AT_EXIT
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(until - time.monotonic(), 0))

    def internal(self, name: str, attributes: Attributes) -> "_Active":
        return _Active(self.tracer.start_span(name, attributes={**attributes, **ids()}))

    def incoming(self, method: str, parent: str) -> "_Request":
        method = method if method in METHODS else "_OTHER"
        values = {"http.request.method": method, **ids()}
        span = self.tracer.start_span(method, _extract(parent), SpanKind.SERVER, values)
        return _Request(span, self, {"http.request.method": method})

    def outgoing(self, method: str, host: str, purpose: str) -> "_Call":
        values = {"http.request.method": method, "ainews.purpose": purpose}
        kind, attributes = SpanKind.CLIENT, {**values, "server.address": host}
        span = self.tracer.start_span(f"{method} {purpose}", kind=kind, attributes=attributes)
        return _Call(span, self, values)

    @contextmanager
    def database_call(self, operation: str, system: str, text: str = "") -> Iterator[Span]:
        """A span of a query. It is left out where nothing around it is recorded."""
        if not trace.get_current_span().is_recording():
            yield _Active(trace.INVALID_SPAN)
            return
        values = {"db.system.name": system, "db.operation.name": operation}
        values |= {"db.query.text": text} if text else {}
        span = self.tracer.start_span(operation, kind=SpanKind.CLIENT, attributes=values)
        with _Active(span) as active:
            yield active

    def begin_task(self, name: str, parent: str) -> None:
        values = {"ainews.task": name, **ids()}
        span = self.tracer.start_span(name, _extract(parent), SpanKind.CONSUMER, values)
        token = otel_context.attach(trace.set_span_in_context(span))
        self._task = name, span, token, time.perf_counter()

    def end_task(self, *, is_success: bool) -> None:
        if self._task is None:
            return
        (name, span, token, began), self._task = self._task, None
        if not is_success:
            span.set_status(StatusCode.ERROR)
        span.end()
        otel_context.detach(token)
        values: Attributes = {"ainews.task": name, "ainews.success": is_success}
        self.tasks.record(time.perf_counter() - began, values)

    @staticmethod
    def traceparent() -> str:
        """Return the W3C `traceparent` of the current span. It makes no provider, because the
        process that only queues tasks needs none."""
        carrier: dict[str, str] = {}
        _propagator.inject(carrier)
        return carrier.get("traceparent", "")

    @staticmethod
    def carrying(function: Callable[[], T]) -> Callable[[], T]:
        around = otel_context.get_current()

        def run() -> T:
            token = otel_context.attach(around)
            try:
                return function()
            finally:
                otel_context.detach(token)

        return run


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class _Active:
    """A span that is the current one within the block."""

    def __init__(self, span: trace.Span) -> None:
        self._span, self._began = span, time.perf_counter()

    def set(self, name: str, value: str | int | float | bool) -> None:
        self._span.set_attribute(name, value)

    def fail(self, kind: str) -> None:
        """Mark the step as failed. `kind` is a name, no message."""
        self._span.set_attribute("error.type", kind)
        self._span.set_status(StatusCode.ERROR)

    def finish(self, route: str, status: int) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._token = otel_context.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.fail(kind.__name__)
        otel_context.detach(self._token)
        self._span.end()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._began


class _Request(_Active):
    """An incoming request."""

    def __init__(self, span: trace.Span, otel: Otel, values: dict[str, Any]) -> None:
        super().__init__(span)
        self._otel, self._values = otel, values

    def finish(self, route: str, status: int) -> None:
        self._values |= {"http.route": route, "http.response.status_code": status}
        self._span.update_name(f"{self._values['http.request.method']} {route}".strip())
        for name, value in self._values.items():
            self._span.set_attribute(name, value)
        if status >= 500:
            self.fail(str(status))
        self._otel.requests.record(self.seconds, self._values)


class _Call(_Active):
    """An outgoing request. Its duration is recorded whatever comes of it."""

    def __init__(self, span: trace.Span, otel: Otel, values: dict[str, Any]) -> None:
        super().__init__(span)
        self._otel, self._values = otel, values

    def set(self, name: str, value: str | int | float | bool) -> None:
        super().set(name, value)
        if name == "http.response.status_code":
            self._values[name] = value

    def fail(self, kind: str) -> None:
        super().fail(kind)
        self._values["error.type"] = kind

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        super().__exit__(kind, *exception)
        self._otel.calls.record(self.seconds, self._values)


def _sampler() -> Sampler | None:
    """Return None, which makes OpenTelemetry read OTEL_TRACES_SAMPLER, if that is set."""
    if os.environ.get("OTEL_TRACES_SAMPLER"):
        return None
    return ParentBased(TraceIdRatioBased(settings.OTEL_TRACES_SAMPLER_ARG))


def _extract(parent: str) -> otel_context.Context:
    """Return a context with this parent and nothing of the present one."""
    return _propagator.extract({"traceparent": parent} if parent else {}, otel_context.Context())


def _observe_connection(*, connection: Any, **_: Any) -> None:
    if _query not in connection.execute_wrappers:
        connection.execute_wrappers.append(_query)


def _query(
    execute: Callable[..., T], sql: str, params: object, many: bool, context: Mapping[str, Any]
) -> T:
    """Run a query within a span. Its text has placeholders; literals are replaced as well."""
    if not trace.get_current_span().is_recording():
        return execute(sql, params, many, context)
    text = _LITERAL.sub("?", sql[:LONGEST_SQL])
    operation = text.split(None, 1)[0].upper()[:20] if text.strip() else "SQL"
    system = {"postgresql": "postgresql"}.get(context["connection"].vendor, "sqlite")
    with Otel.current().database_call(operation, system, text):
        return execute(sql, params, many, context)


def _observe_redis() -> None:
    """Make spans of the commands of redis-py's blocking client, which the cache uses."""
    import redis

    single, many = redis.Redis.execute_command, redis.client.Pipeline.execute

    def execute_command(self: Any, *arguments: Any, **options: Any) -> Any:
        name = str(arguments[0]).split(" ", 1)[0][:20] if arguments else "REDIS"
        with Otel.current().database_call(name, "redis"):
            return single(self, *arguments, **options)  # type: ignore[no-untyped-call]

    def execute(self: Any, *arguments: Any, **options: Any) -> Any:
        with Otel.current().database_call("PIPELINE", "redis"):
            return many(self, *arguments, **options)

    redis.Redis.execute_command = execute_command  # type: ignore[method-assign]
    redis.client.Pipeline.execute = execute  # type: ignore[method-assign]


def _unlock() -> None:
    Otel._lock = threading.Lock()


os.register_at_fork(after_in_child=_unlock)
