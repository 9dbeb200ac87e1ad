"""How much one reader's costly requests slow the pages of another.

    python benchmarks/costly.py sqlite [--items 100000] [--folder DIR] [--seconds 20]
    python benchmarks/costly.py postgres

`sqlite` starts the web server that `manage.py serve` starts (daphne), `postgres` starts Nginx,
gunicorn, PostgreSQL and Redis as `deploy/` describes. One reader opens usual pages one after
another. Then another reader sends eight costly requests at once, each again as soon as it is
answered: searches, questions, ranked stories, by page and API, and previews of feeds. Prints the
median and the 95th percentile of the first reader's pages without and with the other, in
milliseconds.

Everything stays on this machine. COSTLY_AT_ONCE=0 turns the limits off, for comparison.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.ainews_site.test_nginx import PLAIN_SITE, Nginx  # noqa: E402
from tests.services import Postgres, Redis, free_port, is_open  # noqa: E402

CLIENTS = 8
PATIENCE = 60
ATTACKER, READER = 1, 2
WARM_UP = 4
GUNICORN = "gunicorn -b 127.0.0.1:{port} -k gthread -w {cpus} --threads 4 --log-level error"
DAPHNE = "daphne -v0 -b 127.0.0.1 -p {port} ainews_site.asgi:application"


@dataclass(frozen=True)
class Signed:
    """A reader's session, as the cookies of a browser."""

    session: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        cookies = f"sessionid={self.session}; csrftoken={self.token}"
        return {"Cookie": cookies, "X-CSRFToken": self.token}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("kind", choices=("sqlite", "postgres"))
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="keep the library there")
    parser.add_argument("--seconds", type=float, default=20)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ainews-costly-") as made, ExitStack() as stack:
        place = asked.folder or Path(made)
        folder = place / f"{asked.kind}-{asked.items}"
        folder.mkdir(parents=True, exist_ok=True)
        place.chmod(0o755)
        environment = {"DATA": str(folder), "DATABASE_URL": "", "REDIS_URL": ""}
        if asked.kind == "postgres":
            environment["DATABASE_URL"] = stack.enter_context(_postgres(folder)).url()
            environment["REDIS_URL"] = stack.enter_context(Redis()).url
        environment["TRUSTED_PROXIES"] = "127.0.0.1" if asked.kind == "postgres" else ""
        os.environ.update(environment | {"FETCH_ALLOW_PRIVATE": "127.0.0.1", "LOG_LEVEL": "ERROR"})
        feeds = stack.enter_context(_feed())
        os.environ["FETCH_PORTS"] = str(feeds)
        attacker, reader, pages = _library(folder, asked.items)
        port = stack.enter_context(_web(asked.kind))
        if asked.kind == "postgres":
            port = stack.enter_context(_nginx(port)).port
        _measure(port, feeds, attacker, reader, pages, asked.seconds)


@contextmanager
def _postgres(folder: Path) -> Iterator[Postgres]:
    from benchmarks.scale import SAFE, PersistentPostgres, _give_to_postgres

    place = folder / "database"
    folder.chmod(0o755)
    place.mkdir(exist_ok=True)
    _give_to_postgres(place)
    with PersistentPostgres(place, shared_buffers="512MB", jit="off", **SAFE) as server:
        yield server


def _library(folder: Path, items: int) -> tuple[Signed, Signed, list[str]]:
    """The sessions of both readers, and the pages that the second opens."""
    from datetime import UTC, datetime

    from benchmarks.library import Library

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ainews_site.settings")
    import django
    from django.core.management import call_command
    from django.db import connection

    django.setup()
    call_command("migrate", verbosity=0)
    if not (folder / "filled").exists():
        from benchmarks import fill_postgres, fill_sqlite

        fill = fill_postgres.fill if connection.vendor == "postgresql" else fill_sqlite.fill
        fill(Library(items, datetime.now(UTC)))
        (folder / "filled").touch()
    signed = _signed(ATTACKER), _signed(READER)
    pages = _pages(READER)
    connection.close()
    return *signed, pages


def _signed(pk: int) -> Signed:
    from django.conf import settings
    from django.middleware.csrf import _get_new_csrf_string
    from django.test import Client

    from accounts.models import User

    client = Client()
    client.force_login(User.objects.get(pk=pk))
    return Signed(client.cookies[settings.SESSION_COOKIE_NAME].value, _get_new_csrf_string())


def _pages(pk: int) -> list[str]:
    from feeds.models import Item

    item = Item.objects.filter(source__subscriptions__user=pk).order_by("-id").first()
    assert item is not None
    return [
        "/",
        "/river/",
        f"/story/{item.story_id}/",
        f"/item/{item.pk}/",
        "/sources/",
        "/digest/",
    ]


@contextmanager
def _web(kind: str) -> Iterator[int]:
    port, cpus = free_port(), os.cpu_count() or 1
    command = (DAPHNE if kind == "sqlite" else GUNICORN + " ainews_site.wsgi").format(
        port=port, cpus=cpus
    )
    server = subprocess.Popen([sys.executable, "-m", *command.split()], cwd=ROOT)
    try:
        until = time.monotonic() + PATIENCE
        while not is_open(port) and time.monotonic() < until:
            time.sleep(0.1)
        yield port
    finally:
        server.terminate()
        server.wait()


def _nginx(pages: int) -> Nginx:
    nginx = Nginx(PLAIN_SITE)
    nginx.pages = nginx.live = pages
    return nginx


@contextmanager
def _feed() -> Iterator[int]:
    """A server with one feed, for previews."""
    command = [sys.executable, str(ROOT / "benchmarks" / "feed_server.py"), "1", "500"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.terminate()


def _measure(
    port: int, feeds: int, attacker: Signed, reader: Signed, pages: list[str], seconds: float
) -> None:
    _read(port, reader, [*pages, "/search/?q=the+news", "/ask/?q=What+is+the+news"], WARM_UP)
    alone = _read(port, reader, pages, seconds)
    attack = [str(port), str(feeds), attacker.session, attacker.token, str(seconds + WARM_UP)]
    command = [sys.executable, "-m", "benchmarks.costly_attack", *attack]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        time.sleep(WARM_UP)
        attacked = _read(port, reader, pages, seconds)
        answers = json.loads(other.stdout.read())
    print(f"{'milliseconds':20} {'alone':>8} {'p95':>8} {'with':>8} {'p95':>8} {'median':>8}")
    for page in [*pages, "all"]:
        before, after = alone[page], attacked[page]
        ratio = statistics.median(after) / statistics.median(before)
        numbers = [statistics.median(before), _p95(before), statistics.median(after), _p95(after)]
        name = page if len(page) < 20 else page[:7] + "…"
        print(f"{name:20} " + " ".join(f"{one:8.1f}" for one in numbers) + f" {ratio:7.2f}x")
    print(f"answers to the other, by status: {answers}")


def _read(port: int, reader: Signed, pages: list[str], seconds: float) -> dict[str, list[float]]:
    """Milliseconds by page, and of all."""
    times: dict[str, list[float]] = {page: [] for page in [*pages, "all"]}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for page in pages:
            spent = _get(port, reader, page)
            times[page].append(spent)
            times["all"].append(spent)
    return times


def _get(port: int, reader: Signed, page: str) -> float:
    """Milliseconds. A connection of its own, so that each of gunicorn's processes has its turn."""
    started = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", page, headers=reader.headers | {"Connection": "close"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 200, (page, answer.status)
    return (time.perf_counter() - started) * 1000


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1] if len(values) > 1 else values[0]


if __name__ == "__main__":
    main()
