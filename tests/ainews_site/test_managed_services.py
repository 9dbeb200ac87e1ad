"""PostgreSQL and Redis as services: TLS that verifies the server, and the usual forms of URLs."""

import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from ainews_site.config.env_urls import redis_problem
from tests.certificates import certificates
from tests.services import PgBouncer, Postgres, Redis, _servant
from tests.workers import ROOT

SHOW = """
import django; django.setup()
from django.db import connection
with connection.cursor() as cursor:
    for _ in range(8):  # psycopg would prepare the sixth
        cursor.execute("SELECT %s::int", [1])
    cursor.execute("SELECT count(*) FROM pg_prepared_statements")
    prepared = cursor.fetchone()[0]
    cursor.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    print(cursor.fetchone()[0], prepared)
"""
CACHE_AND_LAYER = """
import asyncio, django; django.setup()
from channels.layers import get_channel_layer
from django.core.cache import cache
from ainews_site.doctor import run_check
cache.set("name", "value")
async def round_trip():
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add("readers", channel)
    await layer.group_send("readers", {"type": "news"})
    return await layer.receive(channel)
print(cache.get("name"), asyncio.run(round_trip())["type"], run_check("cache") or "ok")
"""


def own_files(folder: Path, server: Postgres) -> dict[str, str]:
    """Copy the key, which PostgreSQL refuses if others can read it. Return its settings."""
    files = certificates()
    key = Path(shutil.copy(files.key, server.folder / "server.key"))
    key.chmod(0o600)
    if user := _servant():
        shutil.chown(key, user)
    return {"ssl": "on", "ssl_cert_file": str(files.certificate), "ssl_key_file": str(key)}


@pytest.fixture(scope="module")
def postgres_with_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    server = Postgres()
    server.options |= own_files(tmp_path_factory.mktemp("tls"), server)
    with server:
        access = server.data / "pg_hba.conf"
        access.write_text("hostssl all all 127.0.0.1/32 trust\n")  # nobody without TLS
        server.tool("pg_ctl", "reload", "-D", str(server.data))
        yield server


def run(script: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    places = {"DATA": str(folder), "DATABASE_URL": "", "REDIS_URL": "", "QUEUE_URL": ""}
    env = os.environ | places | {"DJANGO_SETTINGS_MODULE": "ainews_site.settings"} | variables
    command = [sys.executable, "-c", script]
    return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True)


def test_postgresql_is_reached_by_tls_that_verifies_its_name(
    postgres_with_tls: Postgres, tmp_path: Path
) -> None:
    url = postgres_with_tls.url().replace("postgres://", "postgresql://")
    verified = f"{url}?sslmode=verify-full&sslrootcert={certificates().authority}"

    done = run(SHOW, tmp_path, DATABASE_URL=verified)
    assert done.stdout.strip() == "True 0", done.stderr


@pytest.mark.slow
def test_a_server_that_cannot_be_verified_is_refused(
    postgres_with_tls: Postgres, tmp_path: Path
) -> None:
    url = postgres_with_tls.url()
    refused = run(SHOW, tmp_path, DATABASE_URL=f"{url}?sslmode=verify-full&sslrootcert=/none.pem")
    assert 'root certificate file "/none.pem" does not exist' in refused.stderr
    other_name = url.replace("127.0.0.1", "localhost")
    verified = f"{other_name}?sslmode=verify-full&sslrootcert={certificates().authority}"
    refused = run(SHOW, tmp_path, DATABASE_URL=verified)
    assert 'does not match host name "localhost"' in refused.stderr


@pytest.mark.slow
def test_a_pooler_with_tls_is_used_without_prepared_statements(
    postgres_with_tls: Postgres, tmp_path: Path
) -> None:
    """So are the poolers of Neon and Supabase: transactions of one client on any connection."""
    files = certificates()
    with PooledByTls(postgres_with_tls) as pooler:
        url = f"{pooler.url()}?sslmode=verify-full&sslrootcert={files.authority}"
        done = run(SHOW, tmp_path, DATABASE_URL=url, DATABASE_POOL="0")
    assert done.stdout.strip() == "True 0", done.stderr


class PooledByTls(PgBouncer):
    def command(self) -> list[str]:
        command, files = super().command(), certificates()
        with Path(command[-1]).open("a") as config:
            config.write(
                f"client_tls_sslmode = require\nclient_tls_cert_file = {files.certificate}\n"
                f"client_tls_key_file = {files.key}\nserver_tls_sslmode = verify-full\n"
                f"server_tls_ca_file = {files.authority}\n"
            )
        return command


def test_an_endpoint_in_the_options_reaches_the_server(tmp_path: Path) -> None:
    """Neon takes the endpoint from there if a client has no server name indication."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        packets: list[bytes] = []

        def take_packet() -> None:
            client, _ = server.accept()
            with client:
                size = struct.unpack("!I", client.recv(4))[0]
                packets.append(client.recv(size))

        thread = threading.Thread(target=take_packet)
        thread.start()
        url = f"postgresql://a:b@127.0.0.1:{server.getsockname()[1]}/news"
        query = "sslmode=disable&gssencmode=disable&options=endpoint%3Dep-cool-1"
        run(SHOW, tmp_path, DATABASE_URL=f"{url}?{query}")
        thread.join()
    parameters = packets[0][4:].split(b"\0")
    assert parameters[parameters.index(b"options") + 1].startswith(b"endpoint=ep-cool-1")


def test_redis_is_reached_by_tls_that_verifies_its_name(tmp_path: Path) -> None:
    files = certificates()
    tls = {
        "tls-cert-file": str(files.certificate),
        "tls-key-file": str(files.key),
        "tls-ca-cert-file": str(files.authority),
        "tls-auth-clients": "no",
        "requirepass": "secret",
    }
    with Redis(**tls) as server:
        url = f"{server.url}?ssl_ca_certs={files.authority}"
        done = run(CACHE_AND_LAYER, tmp_path, REDIS_URL=url)
        assert done.stdout.strip() == "value news ok", done.stderr

        unverified = redis.Redis.from_url(server.url)
        with pytest.raises(redis.ConnectionError, match="certificate verify failed"):
            unverified.ping()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("rediss://:secret@host:6380/0", ""),
        ("rediss://host?ssl_cert_reqs=required", ""),
        ("redis://host?ssl_ca_certs=/ca.pem", "has ssl_ca_certs, which needs rediss://"),
        ("rediss://host?ssl_ca_certs=/no", "names a file that does not exist in ssl_ca_certs"),
        (
            "rediss://host?ssl_cert_reqs=maybe",
            "must have ssl_cert_reqs=required, optional or none",
        ),
    ],
)
def test_the_parameters_of_tls_are_checked_at_the_start(url: str, problem: str) -> None:
    assert redis_problem(url) == problem
