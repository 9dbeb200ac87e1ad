"""A collector that is down or hangs delays and fails nothing."""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.ainews_site.test_nginx import Web, site_data


@pytest.fixture
def hanging() -> Iterator[int]:
    """A port whose server accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_pages_are_served_and_the_server_stops_in_time(tmp_path: Path, hanging: int) -> None:
    url = f"http://127.0.0.1:{hanging}"
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_METRIC_EXPORT_INTERVAL": "200",
        "SENTRY_DSN": f"http://key@127.0.0.1:{hanging}/1",
        "LOG_FORMAT": "json",
    }
    command = ["daphne", "-b", "127.0.0.1", "-p", "PORT", "ainews_site.asgi:application"]
    web = Web(command, site_data(tmp_path), os.environ | settings)
    with web, httpx.Client(base_url=f"http://127.0.0.1:{web.port}", timeout=20) as client:
        client.get("/signin/")
        began = time.monotonic()
        for _ in range(20):
            assert client.get("/signin/").status_code == 200
        assert time.monotonic() - began < 10
        began = time.monotonic()
        web.stop(signal.SIGTERM)
        assert time.monotonic() - began < 12
        lines = [json.loads(line) for line in web.log().splitlines()]
    assert [line for line in lines if "exception" in line] == []
    requests = [line for line in lines if line["event"] == "request"]
    assert len({line["request_id"] for line in requests}) == len(requests) == 21
