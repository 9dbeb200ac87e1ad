"""Health checks: of the process alone, of its database, and of all that an operator must know."""

import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from ainews_site import health_checks, machine_checks
from tests.ainews_site.test_nginx import ROOT
from tests.make import make_source, make_user
from tests.services import free_port

pytestmark = pytest.mark.django_db
HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(autouse=True)
def _fresh() -> None:
    health_checks.forget()


def operator() -> Client:
    client = Client()
    client.force_login(make_user("operator", is_staff=True))
    return client


def test_an_idle_site_is_well(client: Client) -> None:
    answer = client.get("/health/ready")

    assert answer.json() == {"status": "ok"}
    assert answer["Cache-Control"] == "no-store"


def test_a_task_that_waits_too_long_degrades_and_operators_learn_which(client: Client) -> None:
    OrmQ.objects.create(key="slow", payload="", lock=timezone.now() - timedelta(minutes=20))

    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "degraded"})
    checks = operator().get("/health/ready").json()["checks"]
    assert checks["queue"].startswith("a task waits since ")
    assert checks["last poll"] == checks["disk"] == "ok"
    assert "certificate" not in checks, "nothing is said about a certificate that nobody named"


def test_no_poll_for_an_hour_degrades(client: Client) -> None:
    make_source("one", last_fetched_at=timezone.now() - timedelta(hours=1))

    assert client.get("/health/ready").json()["status"] == "degraded"
    assert "no source was polled" in operator().get("/health/ready").json()["checks"]["last poll"]


def test_a_full_disk_degrades_without_its_path_for_strangers(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_checks, "MIN_FREE_BYTES", 1 << 60)

    assert client.get("/health/ready").json() == {"status": "degraded"}
    page = client.get("/health/ready", headers=HTML).content.decode()
    assert "AI News works in part" in page
    assert "MB free" not in page
    assert "MB free" in operator().get("/health/ready?format=html").content.decode()


def test_an_expired_certificate_degrades(client: Client, tmp_path: Path, settings: object) -> None:
    settings.TLS_CERTIFICATE = str(tmp_path / "missing.pem")  # type: ignore[attr-defined]

    assert client.get("/health/ready").json()["status"] == "degraded"
    assert "TLS_CERTIFICATE" in operator().get("/health/ready").json()["checks"]["certificate"]


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
def test_browsers_get_a_page_and_programs_json(client: Client, path: str) -> None:
    assert client.get(path).json()["status"] == "ok"
    assert client.get(path, headers=HTML)["Content-Type"].startswith("text/html")
    assert client.get(f"{path}?format=json", headers=HTML).json()["status"] == "ok"
    assert b"<h1>AI News works</h1>" in client.get(f"{path}?format=html").content


def test_many_probes_check_once(client: Client, django_assert_num_queries: object) -> None:
    client.get("/health/ready")

    with django_assert_num_queries(1):  # type: ignore[operator]
        client.get("/health/ready")


def test_a_process_lives_without_its_database(tmp_path: Path) -> None:
    port, nowhere = free_port(), free_port()
    environment = os.environ | {
        "DATA": str(tmp_path),
        "DATABASE_URL": f"postgres://ainews@127.0.0.1:{nowhere}/ainews",
        "REDIS_URL": "",
    }
    command = [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "ainews_site.wsgi"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 100
        while time.monotonic() < until:
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/health/live", timeout=30)
                break
            except httpx.TransportError:
                time.sleep(0.2)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        answer = httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=60)
        assert answer.status_code == 503
        assert str(nowhere) not in answer.text
    finally:
        process.terminate()
        process.wait(100)
