"""The pages, and requests that take as many seconds as their path says: /slow/2."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from ainews_site import wsgi


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if not path.startswith("/slow/"):
        return wsgi.application(environ, start)
    environ["wsgi.input"].read()
    time.sleep(float(path.rpartition("/")[2]))
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
    return [b"done"]
