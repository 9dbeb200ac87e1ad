"""Measures AI News against the limits of free tiers, with the settings of `deploy/free-tier.env`.

    python benchmarks/free_tier.py [--items 100000] [--idle 120]

- bytes of a PostgreSQL with so many items, against 500 MB
- commands that one reader's day sends to Redis, against 10,000
- hours of a worker that a schedule starts, against 500 a month
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
import websocket

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.services import Postgres, Redis, free_port, is_open  # noqa: E402

PAGES, HOURS = 100, 8
"""Pages that a reader opens in a day, and the hours for which one of them stays open."""
RUNS, RUN_SECONDS = 2, 120
"""Runs of the worker in an hour, and seconds until each is asked to stop."""
MONTH_HOURS = 30 * 24
READER = """
from accounts.models import SigninToken, User
from feeds.models import Source
from feeds.sources.subscriptions import subscribe
reader = User.objects.create_user("reader")
subscribe(reader, Source.objects.get_or_create(url="http://127.0.0.1:9/feed")[0])
print(SigninToken.issue(reader))
"""


def free_tier() -> dict[str, str]:
    """Return the settings of the profile."""
    lines = (ROOT / "deploy/free-tier.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def environment(data: Path, **more: str) -> dict[str, str]:
    none = dict.fromkeys(("DATABASE_URL", "REDIS_URL", "QUEUE_URL", "SITE_URL"), "")
    return os.environ | none | free_tier() | {"DATA": str(data), "LOG_LEVEL": "WARNING"} | more


def fill(items: int) -> None:
    """Fill the database of this process's settings. Run in a process of its own."""
    import django

    django.setup()
    from benchmarks.fill_postgres import fill as fill_postgres
    from benchmarks.library import Library

    fill_postgres(Library(items, datetime.now(UTC)))


def measure_bytes(folder: Path, items: int) -> int:
    """Return the size of a database with so many items, and with its tables' own overhead."""
    with Postgres(autovacuum="off") as server:
        env = environment(folder, DATABASE_URL=server.migrated("free"))
        env |= {"DJANGO_SETTINGS_MODULE": "ainews_site.settings", "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, __file__, "--fill", str(items)], env=env, check=True)
        return int(server.sql("SELECT pg_database_size('free')"))


def commands(server: Redis) -> int:
    """Return how many commands clients have sent so far."""
    port = ("redis-cli", "-p", str(server.port), "info", "stats")
    text = subprocess.run(port, capture_output=True, text=True, check=True).stdout
    line = next(line for line in text.splitlines() if line.startswith("total_commands_processed"))
    return int(line.partition(":")[2]) - 1


def measure_commands(folder: Path, idle: int) -> tuple[float, float]:
    """Return the commands of a page, and those of an hour in which a page is merely open."""
    with Redis() as server:
        env = environment(folder, REDIS_URL=server.url)
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=env, check=True
        )
        shell = [sys.executable, "manage.py", "shell", "-v0", "-c", READER]
        made = subprocess.run(shell, cwd=ROOT, env=env, check=True, capture_output=True, text=True)
        port = free_port()
        daphne = [str(Path(sys.executable).with_name("daphne")), "-v0", "-p", str(port)]
        process = subprocess.Popen([*daphne, "ainews_site.asgi:application"], cwd=ROOT, env=env)
        try:
            while not is_open(port):
                time.sleep(0.1)
            return _read(server, f"http://127.0.0.1:{port}", made.stdout.strip(), idle)
        finally:
            process.terminate()
            process.wait(60)


def _read(server: Redis, site: str, token: str, idle: int) -> tuple[float, float]:
    with httpx.Client(base_url=site, follow_redirects=True, timeout=60) as client:
        form = client.get(f"/signin/{token}")
        csrf = client.cookies.get("csrftoken", "")
        client.post(f"/signin/{token}", data={"csrfmiddlewaretoken": csrf})
        assert form.status_code == 200
        before = commands(server)
        paths = ["/", "/river/", "/search/?q=model", "/digest/", "/trends/"]
        for number in range(PAGES):
            answer = client.get(paths[number % len(paths)])
            assert answer.status_code == 200, answer.url
        per_page = (commands(server) - before) / PAGES
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        url = f"{site.replace('http', 'ws')}/ws/"
        opened = websocket.create_connection(url, cookie=cookies, origin=site, timeout=5)
        opened.recv()
        before, until = commands(server), time.monotonic() + idle
        while time.monotonic() < until:
            with suppress(websocket.WebSocketTimeoutException):
                opened.recv()  # answers pings, too
        per_hour = (commands(server) - before) * 3600 / idle
        opened.close()
    return per_page, per_hour


def measure_worker(folder: Path) -> float:
    """Return the seconds that one run of the worker takes, from its start to its end."""
    env = environment(folder)
    command = ["timeout", "-s", "TERM", str(RUN_SECONDS), sys.executable, "manage.py", "worker"]
    started = time.monotonic()
    subprocess.run(command, cwd=ROOT, env=env, check=False, capture_output=True)
    return time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--idle", type=int, default=120, help="seconds for which a page is open")
    parser.add_argument("--fill", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fill:
        fill(options.fill)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        per_page, per_hour = measure_commands(folder, options.idle)
        day = per_page * PAGES + per_hour * HOURS
        print(f"Redis: {per_page:.1f} commands a page, {per_hour:.0f} an hour with an open page")
        print(f"Redis: {day:.0f} of 10,000 commands a day ({PAGES} pages, {HOURS} hours)")
        seconds = measure_worker(folder)
        hours = seconds * RUNS * MONTH_HOURS / 3600
        print(
            f"Worker: {seconds:.0f} s a run, {hours:.0f} of 500 hours a month ({RUNS} runs an hour)"
        )
        size = measure_bytes(folder, options.items)
        print(f"PostgreSQL: {size / 1e6:.0f} of 500 MB with {options.items} items")


if __name__ == "__main__":
    main()
