"""The live server, and requests that take as many seconds as their path says: /slow/2."""

import asyncio
from typing import Any

from ainews_site import asgi


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http" or not scope["path"].startswith("/slow/"):
        await asgi.application(scope, receive, send)
        return
    await asyncio.sleep(float(scope["path"].rpartition("/")[2]))
    headers = [(b"content-length", b"4")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"done"})
