"""Many websocket clients of AI News in one process, with as little work as possible."""

import asyncio
import base64
import json
import os
import time
from typing import Any

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: {key}\r\nCookie: sessionid={session}\r\n\r\n"
)
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
AT_ONCE = 100
"""Number of sockets that connect at the same time."""


class SocketClient(asyncio.Protocol):
    """A client that answers pings, reports the seq of the greeting as its own as a page does, and
    keeps the last message of each kind with the time of its arrival."""

    def __init__(self, port: int, session: str, path: str = "/ws/") -> None:
        self.port, self.session, self.path = port, session, path
        self.messages: dict[str, tuple[float, dict[str, Any]]] = {}
        self.code: int | None = None
        self.greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._read = b""
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        values = {"path": self.path, "port": self.port, "session": self.session, "key": key}
        transport.write(HANDSHAKE.format(**values).encode())

    def connection_lost(self, error: Exception | None) -> None:
        self.code = self.code or 1006
        if not self.greeted.done():
            self.greeted.set_exception(ConnectionError(f"closed with {self.code}: {self._read!r}"))

    def data_received(self, data: bytes) -> None:
        self._read += data
        if not self._is_open:
            head, end, rest = self._read.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head.partition(b"\r\n")[0]:
                self.transport.close()
                return
            self._is_open, self._read = True, rest
        while (frame := self._frame()) is not None:
            self._take(*frame)

    def _frame(self) -> tuple[int, bytes] | None:
        """Return (opcode, payload) of the next frame. Servers do not mask frames."""
        if len(self._read) < 2:
            return None
        length, start = self._read[1], 2
        if length == 126:
            length, start = int.from_bytes(self._read[2:4]), 4
        if len(self._read) < start + length:
            return None
        opcode, payload = self._read[0] & 15, self._read[start : start + length]
        self._read = self._read[start + length :]
        return opcode, payload

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self._send(PONG, payload)
        elif opcode == CLOSE:
            self.code = int.from_bytes(payload[:2]) or 1005
            self._send(CLOSE, payload[:2])
            self.transport.close()
        elif opcode == TEXT:
            message = json.loads(payload)
            self.messages[message["kind"]] = time.monotonic(), message
            if message["kind"] == "hello":
                self.send({"seq": message["seq"]})
                if not self.greeted.done():
                    self.greeted.set_result(None)

    def send(self, message: dict[str, Any]) -> None:
        self._send(TEXT, json.dumps(message).encode())

    def _send(self, opcode: int, payload: bytes) -> None:
        """Send a frame of less than 126 bytes, masked with zeros."""
        self.transport.write(bytes((128 | opcode, 128 | len(payload), 0, 0, 0, 0)) + payload)


async def connect_all(ports: list[int], sessions: list[str]) -> list[SocketClient]:
    """Connect a socket for each session, spread over the servers at `ports`."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def connect(number: int, session: str) -> SocketClient:
        async with turn:
            port = ports[number % len(ports)]
            client = await open_socket(port, session)
            await client.greeted
            return client

    return await asyncio.gather(*(connect(*pair) for pair in enumerate(sessions)))


async def open_socket(port: int, session: str) -> SocketClient:
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(lambda: SocketClient(port, session), "127.0.0.1", port)
    return client


async def wait_for(clients: list[SocketClient], kind: str, since: float, timeout: float) -> float:
    """Wait until each client has a message of this kind from after `since`. Returns the time when
    the last one arrived."""
    until = time.monotonic() + timeout
    while True:
        times = [client.messages.get(kind, (0.0, {}))[0] for client in clients]
        if min(times) > since:
            return max(times)
        if time.monotonic() > until:
            late = sum(at <= since for at in times)
            raise TimeoutError(f"{late} of {len(clients)} sockets got no {kind!r} message")
        await asyncio.sleep(0.02)
