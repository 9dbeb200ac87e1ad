"""Stops Daphne so that no client notices: SIGTERM finishes requests and lets pages connect again.

Daphne itself cancels all that runs. Here it stops listening, closes each WebSocket with the code
1012 (service restart), and lets running requests finish. A page connects again after a random
pause, to the successor, and misses nothing (`feeds.web.live.consumer`).

It relies on details of Daphne: `Server.run` registers `kill_all_applications` to be called before
the reactor stops, and `connections` has the state of each connection.
`tests/ainews_site/process/test_graceful_stop.py` fails if a release changes one.
"""

import asyncio
import time
from typing import Any

import daphne.server
import daphne.ws_protocol
from twisted.internet import defer

SERVICE_RESTART = 1012
REASON = b"The server restarts."
REQUESTS, HANDSHAKES = 20.0, 2.0
"""Seconds that running requests have, and that clients have to answer the close of a socket."""
PAUSE = 0.05
LAST_BYTES = 0.3
"""Seconds in which the end of the last response is sent."""
_is_stopping = False


def install() -> None:
    """Make the Daphne servers of this process stop gracefully."""
    daphne.server.Server.kill_all_applications = _stop
    daphne.server.Server.listen_success = _note_port


def is_stopping() -> bool:
    """Return True once this server was asked to stop."""
    return _is_stopping


def _note_port(server: Any, port: Any) -> None:
    server.__dict__.setdefault("ports", []).append(port)


def _stop(server: Any) -> Any:
    return defer.Deferred.fromFuture(asyncio.ensure_future(_drain(server)))


async def _drain(server: Any) -> None:
    global _is_stopping
    _is_stopping = True
    for port in server.__dict__.get("ports", ()):
        port.stopListening()
    began = time.monotonic()
    while _has_work(server, time.monotonic() - began):
        _close_sockets(server)
        await asyncio.sleep(PAUSE)
    await asyncio.sleep(LAST_BYTES)
    running = [task for task in _tasks(server) if not task.done()]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


def _close_sockets(server: Any) -> None:
    """Close all sockets that are open by now; one may just have been accepted."""
    for protocol in list(server.connections):
        if _is_socket(protocol) and protocol.state == protocol.STATE_OPEN:
            protocol.sendCloseFrame(code=SERVICE_RESTART, reasonUtf8=REASON, isReply=False)


def _has_work(server: Any, seconds: float) -> bool:
    for protocol, details in server.connections.items():
        task = details.get("application_instance")
        if _is_socket(protocol):
            if seconds < HANDSHAKES and protocol.state != protocol.STATE_CLOSED:
                return True
        elif seconds < REQUESTS and task is not None and not task.done():
            return True
    return False


def _is_socket(protocol: Any) -> bool:
    return isinstance(protocol, daphne.ws_protocol.WebSocketProtocol)


def _tasks(server: Any) -> list["asyncio.Future[None]"]:
    details = server.connections.values()
    return [task for detail in details if (task := detail.get("application_instance"))]
