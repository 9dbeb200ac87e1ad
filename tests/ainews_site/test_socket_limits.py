"""Daphne holds few messages for a client that does not read them, and goes on serving others."""

import asyncio
import socket
import sys
from pathlib import Path

import psutil

from benchmarks.live_clients import HANDSHAKE, open_socket
from tests.services import Server

ROOT = Path(__file__).resolve().parents[2]
SIZE, EACH_SECOND = 1_000, 500
MOST_GROWTH = 4 * 1024 * 1024
"""Bytes. Without a limit, the messages for a client that does not read are a megabyte a second."""
SERVER = f"""
import asyncio, json, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "ainews_site.settings"
import django
django.setup()
from daphne.server import Server
from ainews_site import daphne_limits

async def until_disconnect(receive):
    while (message := await receive())["type"] != "websocket.disconnect":
        pass
    return message

async def application(scope, receive, send):
    await receive()
    await send({{"type": "websocket.accept"}})
    closing = asyncio.ensure_future(until_disconnect(receive))
    number = 0
    while not closing.done():
        for kind in ("hello", "new"):
            message = {{"kind": kind, "seq": number, "rest": "x" * {SIZE}}}
            await send({{"type": "websocket.send", "text": json.dumps(message)}})
        number += 1
        await asyncio.sleep(1 / {EACH_SECOND})
    print("ended", closing.result()["code"], flush=True)

daphne_limits.install()
Server(application, ["tcp:port=" + sys.argv[1] + ":interface=127.0.0.1"]).run()
"""


class Flood(Server):
    """Daphne with an application that sends messages without a pause."""

    name = "flood"
    is_humble = False

    def command(self) -> list[str]:
        return ["env", f"PYTHONPATH={ROOT}", sys.executable, "-c", SERVER, str(self.port)]


def stalled_client(port: int) -> socket.socket:
    """A client that opens a socket and reads nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    values = {"path": "/ws/", "port": port, "session": "", "key": "dGhlIHNhbXBsZSBub25jZQ=="}
    client.sendall(HANDSHAKE.format(**values).encode())
    return client


async def test_a_client_that_does_not_read_is_closed_and_others_go_on() -> None:
    with Flood() as server:
        assert server.process is not None
        process = psutil.Process(server.process.pid)
        stalled = stalled_client(server.port)
        reading = await open_socket(server.port, "")
        await reading.greeted
        await asyncio.sleep(1)
        before = process.memory_info().rss
        for _ in range(150):
            if "ended" in server.log():
                break
            await asyncio.sleep(0.1)
        assert "ended 1006" in server.log()
        assert "ERROR" not in server.log()
        seen = reading.messages["new"][1]["seq"]
        await asyncio.sleep(1)

        assert reading.messages["new"][1]["seq"] > seen + 50
        assert reading.code is None
        assert process.memory_info().rss - before < MOST_GROWTH
        stalled.close()
        reading.transport.close()
