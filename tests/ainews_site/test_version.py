"""The version is stated once, and shown to operators only."""

import subprocess
import sys
from typing import Any

import pytest
from django.test import Client

from ainews_site.infra.version import program_version, sort_key
from tests.make import make_user
from tests.prepared import ROOT

TOKEN = "a-token-of-prometheus"


def test_the_command_prints_the_version() -> None:
    script = "from ainews_site.cli import run; run(['--version'])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == f"AI News {program_version()}\n"


@pytest.mark.parametrize(
    ("older", "newer"),
    [("0.1.0", "0.2.0.dev0"), ("0.2.0.dev0", "0.2.0"), ("0.9.9", "0.10.0"), ("0.2.0", "1.0.0")],
)
def test_versions_are_sorted(older: str, newer: str) -> None:
    assert sort_key(older) < sort_key(newer)


@pytest.mark.django_db
def test_operators_alone_see_the_version(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN
    assert "version" not in client.get("/health").json()
    wrong = {"Authorization": "Bearer guessed"}
    assert "version" not in client.get("/health", headers=wrong).json()
    right = {"Authorization": f"Bearer {TOKEN}"}
    assert client.get("/health", headers=right).json()["version"] == program_version()
    client.force_login(make_user("reader"))
    assert "version" not in client.get("/health").json()
    client.force_login(make_user("staff", is_staff=True, is_superuser=True))
    assert client.get("/health").json()["version"] == program_version()
    assert f"AI News {program_version()}" in client.get("/admin/").content.decode()
