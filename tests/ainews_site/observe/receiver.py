"""One server on loopback for all that AI News sends out: OTLP, Sentry, a model, feeds, webhooks."""

import gzip
import json
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import brotli
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

DECODERS = {"gzip": gzip.decompress, "deflate": zlib.decompress, "br": brotli.decompress}


class Receiver(ThreadingHTTPServer):
    """Decodes what it gets. Models, feeds and webhooks fail."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[Any] = []
        self.metrics: list[Any] = []
        self.metrics_of: list[tuple[str, Any]] = []
        """The same with the instance that sent each."""
        self.services: set[str] = set()
        self.instances: set[str] = set()
        self.headers: list[dict[str, str]] = []
        self.events: list[dict[str, Any]] = []
        self.raw: list[bytes] = []
        """All that telemetry has sent, decompressed."""
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        with self.lock:
            if path in ("/v1/traces", "/v1/metrics"):
                self.raw.append(body)
                self.headers.append(headers)
                self._take_otlp(path, body)
                return 200
            if path == "/api/1/envelope/":
                self.raw.append(body)
                self._take_envelope(body)
                return 200
        return 500

    def _take_otlp(self, path: str, body: bytes) -> None:
        if path == "/v1/traces":
            traces = ExportTraceServiceRequest.FromString(body)
            for resource in traces.resource_spans:
                self._note(resource.resource)
                for scope in resource.scope_spans:
                    self.spans.extend(scope.spans)
        else:
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                instance = str(attributes(resource.resource)["service.instance.id"])
                for scope in resource.scope_metrics:
                    self.metrics.extend(scope.metrics)
                    self.metrics_of.extend((instance, metric) for metric in scope.metrics)

    def _note(self, resource: Any) -> None:
        values = attributes(resource)
        self.services.add(str(values["service.name"]))
        self.instances.add(str(values["service.instance.id"]))

    def _take_envelope(self, body: bytes) -> None:
        """Read Sentry's format: a line of JSON, then a line and a payload for each item."""
        _, _, rest = body.partition(b"\n")
        while rest:
            line, _, rest = rest.partition(b"\n")
            if not line:
                continue
            header = json.loads(line)
            size = header.get("length", len(rest))
            payload, rest = rest[:size], rest[size:].lstrip(b"\n")
            if header["type"] == "event":
                self.events.append(json.loads(payload))


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self._body()
        decode = DECODERS.get(self.headers.get("Content-Encoding", ""))
        names = {name.lower(): value for name, value in self.headers.items()}
        status = self.server.take(self.path, names, decode(body) if decode else body)
        key = self.headers.get("Authorization", "")
        answer = json.dumps({"error": {"message": f"Incorrect API key provided: {key}"}}).encode()
        self._reply(status, b"{}" if status == 200 else answer)

    def do_GET(self) -> None:
        self._reply(500, f"{self.path} failed".encode())

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def attributes(span: Any) -> dict[str, Any]:
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes
    }


@contextmanager
def receiving() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
