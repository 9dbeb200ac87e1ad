"""METRICS_LISTEN: the metrics of a machine that has workers alone, and its guard."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
from django.conf import settings

from ainews_site.infra import metric_files
from ainews_site.infra.certificate import expiry_of
from ainews_site.infra.metrics import ITEMS_NEW
from ainews_site.metrics.server import serving_metrics
from tests.services import free_port


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    metric_files.close()
    port = free_port()
    monkeypatch.setattr(settings, "DATA", tmp_path)
    monkeypatch.setattr(settings, "METRICS_LISTEN", f"127.0.0.1:{port}")
    yield port
    metric_files.close()


@pytest.mark.django_db(transaction=True)
def test_a_worker_serves_what_its_machine_recorded(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "METRICS_NETWORKS", (ip_network("127.0.0.1/32"),))
    ITEMS_NEW.add(3)
    with serving_metrics():
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics")
        assert httpx.get(f"http://127.0.0.1:{port}/other").status_code == 404

    assert "ainews_items_new_total 3.0" in answer.text
    assert "ainews_database_bytes" not in answer.text, "it is the same for all machines"


def test_a_stranger_gets_nothing(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "METRICS_TOKEN", "a token of the operator")
    with serving_metrics():
        address = f"http://127.0.0.1:{port}/metrics"
        assert httpx.get(address).status_code == 404
        wrong = {"Authorization": "Bearer something else"}
        assert httpx.get(address, headers=wrong).status_code == 404


def test_a_port_that_is_taken_does_not_stop_the_worker(
    port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving_metrics(), serving_metrics():
        pass

    printed = capsys.readouterr()
    assert f"METRICS_LISTEN=127.0.0.1:{port} cannot be used" in printed.out + printed.err


@pytest.mark.parametrize("days", [90, 40_000])
def test_the_expiry_of_a_certificate(tmp_path: Path, days: int) -> None:
    """The second one ends after 2049, which is written in another form."""
    path = tmp_path / "site.pem"
    options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=news.example"]
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(path), "-days", str(days)]
    subprocess.run(["openssl", "req", *options, *files], check=True, capture_output=True)

    assert abs(expiry_of(path) - datetime.now(UTC) - timedelta(days=days)) < timedelta(hours=1)


@pytest.mark.parametrize(
    "text",
    ["", "no certificate", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"],
)
def test_a_file_without_a_certificate_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "site.pem"
    path.write_text(text)

    with pytest.raises(ValueError, match="certificate"):
        expiry_of(path)
