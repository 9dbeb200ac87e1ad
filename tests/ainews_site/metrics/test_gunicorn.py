"""The counts of gunicorn's workers, which are recycled and killed while requests are answered."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ainews_site.infra.metric_files import MANY_FILES
from tests.services import free_port
from tests.workers import ROOT, environment, migrate

TOKEN = "a token of the operator"
REQUESTS = 40


@pytest.mark.slow
def test_no_request_is_lost_or_counted_twice(tmp_path: Path) -> None:
    env = environment(tmp_path / "data", "", METRICS_TOKEN=TOKEN, LOG_LEVEL="ERROR")
    migrate(env)
    port = free_port()
    command = ["-m", "gunicorn", "-b", f"127.0.0.1:{port}", "-w", "2", "--max-requests", "10"]
    server = subprocess.Popen(
        [sys.executable, *command, "ainews_site.wsgi"], cwd=ROOT, env=os.environ | env
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address)
        before = counted(address)
        done = 0
        for number in range(REQUESTS):
            if number == REQUESTS // 2:  # no request is running
                psutil.Process(server.pid).children()[0].send_signal(signal.SIGKILL)
            done += answered(f"{address}/signin/")

        assert counted(address) - before == done >= REQUESTS - 2
        assert len(list((tmp_path / "data" / "metrics").glob("*.values"))) <= MANY_FILES
    finally:
        server.terminate()
        server.wait(60)


def wait_for(address: str) -> None:
    until = time.monotonic() + 100
    while not answered(f"{address}/health") and time.monotonic() < until:
        time.sleep(0.2)


def answered(address: str) -> bool:
    try:
        return httpx.get(address, timeout=30).status_code == 200
    except httpx.HTTPError:
        return False


def counted(address: str) -> float:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    text = httpx.get(f"{address}/metrics", headers=headers, timeout=30).raise_for_status().text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "ainews_request_seconds_count" and sample.labels["route"] == "signin"
    )
