"""A real HTTP server that speaks as a language model's does, and misbehaves as it is told."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Act = Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]
"""Answers one request; the second argument is its JSON."""
MODEL = "small-model"


@dataclass
class ModelServer:
    """`acts` are for one request each, the last for all that follow."""

    port: int
    acts: list[Act] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def will(self, *acts: Act) -> None:
        self.acts[:] = acts
        self.asked.clear()

    def next_act(self) -> Act:
        return self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]


def _handler(server: ModelServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with server.lock:
                server.asked.append(body)
                server.keys.append(self.headers.get("authorization", ""))
                act = server.next_act()
                server.at_once += 1
                server.most_at_once = max(server.at_once, server.most_at_once)
            try:
                act(self, body)
            except (BrokenPipeError, ConnectionResetError):
                pass
            finally:
                with server.lock:
                    server.at_once -= 1

        def do_GET(self) -> None:
            send_json(self, {"data": [{"id": MODEL}]})

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextmanager
def model_server() -> Iterator[ModelServer]:
    said = ModelServer(0)
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(said))
    http.daemon_threads = True
    said.port = http.server_port
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield said
    finally:
        http.shutdown()
        http.server_close()


@pytest.fixture
def llm(settings: Any) -> Iterator[ModelServer]:
    """The server, configured as the language model."""
    with model_server() as server:
        settings.OPENAI_BASE_URL, settings.LLM_MODEL = server.url, MODEL
        settings.OPENAI_API_KEY = "sk-secret"
        settings.LLM_CONNECT_TIMEOUT, settings.LLM_TIMEOUT = 2.0, 1.5
        yield server


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def send_json(handler: BaseHTTPRequestHandler, document: Any) -> None:
    send(handler, 200, json.dumps(document).encode())


def says(
    content: Any, *, finish: str = "stop", usage: tuple[int, int] | None = (100, 20), **more: Any
) -> Act:
    """A chat completion; what is no text is written as JSON."""
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    document: dict[str, Any] = {
        "choices": [
            {"message": {"role": "assistant", "content": text} | more, "finish_reason": finish}
        ]
    }
    if usage:
        document["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
    return lambda handler, _: send_json(handler, document)


def fails(status: int, said: str = "", **headers: str) -> Act:
    body = json.dumps({"error": {"message": said or "no"}}).encode()
    return lambda handler, _: send(handler, status, body, **headers)


def is_slow(seconds: float, then: Act) -> Act:
    def act(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        time.sleep(seconds)
        then(handler, body)

    return act


def trickles(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
    """A byte now and then, so that no single read ever takes long."""
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.1)


def has_no_end(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b" " * 65536)


def complains_without_end(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
    handler.send_response(500)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x" * 65536)


def resets(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
    """A connection that is torn down, by RST and not by FIN."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def breaks_off(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')


def sends(body: bytes) -> Act:
    return lambda handler, _: send(handler, 200, body)


def knows_no(parameter: str, then: Act) -> Act:
    """Refuses what names the parameter, as servers without it do."""

    def act(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        kind = body.get("response_format", {}).get("type")
        if parameter in (kind, *body):
            fails(400, f"Unsupported parameter: {parameter}")(handler, body)
        else:
            then(handler, body)

    return act


def embeds(dimensions: int = 3) -> Act:
    """A vector for each text, in the wrong order but numbered."""

    def act(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        rows = [
            {"index": n, "embedding": [float(len(text))] * dimensions}
            for n, text in enumerate(body["input"])
        ]
        send_json(handler, {"data": rows[::-1], "usage": {"prompt_tokens": 7}})

    return act
