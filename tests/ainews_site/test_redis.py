"""The site with a Redis that is there, goes, comes back, or cannot be used."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.ainews_site.test_replicas import serving, wait_until
from tests.services import Redis, free_port, missing

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif("redis-server" in missing(), reason="needs redis-server")


def env_of(data: Path, redis: str, **more: str) -> dict[str, str]:
    places = {"DATA": str(data), "DATABASE_URL": "", "DATABASE_REPLICA_URLS": "", "DEBUG": ""}
    return os.environ | places | {"REDIS_URL": redis} | more


def manage(env: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    done = manage(env_of(folder, ""), "migrate", "-v0")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://:secret@host:6379/0", "is no redis://:password@host:6379/0"),
        ("redis://:secret@host:abc/0", "no port between 1 and 65535"),
        ("redis://:secret@host:99999/0", "no port between 1 and 65535"),
        ("redis://:secret@host:6379/zero", "ends in no number"),
        ("secret", "is no redis://"),
        ("unix://", "has no path"),
    ],
)
def test_an_address_that_is_none_is_one_clear_sentence(tmp_path: Path, url: str, says: str) -> None:
    done = manage(env_of(tmp_path, url), "check")

    assert done.returncode == 1
    assert done.stderr.startswith("REDIS_URL ")
    assert says in done.stderr
    assert "secret" not in done.stderr
    assert done.stderr.count("\n") == 1


def doctor(data: Path, url: str) -> str:
    done = manage(env_of(data, url), "doctor")
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line[4:].startswith("cache")]
    return line


def test_doctor_says_what_is_wrong_and_what_to_do_but_no_password(data: Path) -> None:
    with ExitStack() as stack:
        locked = stack.enter_context(Redis(requirepass="right-one"))
        full = stack.enter_context(Redis(maxmemory="100kb", **{"maxmemory-policy": "noeviction"}))
        gone = free_port()

        assert doctor(data, locked.url) == "ok  cache"
        refused = doctor(data, locked.url.replace("right-one", "wrong-one"))
        assert refused == (
            f"!!  cache: Redis at 127.0.0.1:{locked.port} refuses the password. Check the user and"
            " the password in REDIS_URL. Pages and ingest go on without it."
        )
        assert "has no memory left. Raise its maxmemory" in doctor(data, full.url)
        away = doctor(data, f"redis://:secret@127.0.0.1:{gone}/0")
        assert f"Redis at 127.0.0.1:{gone} does not answer. Is it running?" in away
        assert "secret" not in away


@pytest.fixture
def redis() -> Iterator[Redis]:
    with Redis() as server:
        yield server


def test_health_is_degraded_while_redis_is_away(data: Path, redis: Redis) -> None:
    with serving(env_of(data, redis.url)) as address:

        def health() -> dict[str, str]:
            answer = httpx.get(f"{address}/health", timeout=20)
            assert answer.status_code == 200
            return dict(answer.json())

        assert health() == {"status": "ok", "redis": "ok"}
        redis.kill()
        wait_until(lambda: health() == {"status": "degraded", "redis": "does not answer"})
        redis.start()
        wait_until(lambda: health() == {"status": "ok", "redis": "ok"})
