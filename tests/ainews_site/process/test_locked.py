"""The whole product while another process holds SQLite's write lock."""

import signal
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import psutil
import pytest

from tests.feeds.ingest.server import reply, serve
from tests.locks import WriteLock
from tests.services import free_port
from tests.workers import Helper, environment, migrate

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "long-enough-for-me"
SLACK = 0.5
"""Seconds by which a page may be slower than usual on a busy machine."""
MAKE = f"""
from accounts.models import ApiToken, SigninToken
from digests.editions.writing import write_synchronously, today_of
from feeds.models import Item
from feeds.stories.grouping.group import group_new_items
from tests.make import make_item, make_source, make_user
user = make_user(password={PASSWORD!r}, is_staff=True, is_superuser=True)
sources = [make_source(f"outlet{{n}}", reader=user, status="paused") for n in range(3)]
items = [make_item(sources[n % 3], f"Subject {{n}} differs from all", text="Words. " * 40)
         for n in range(24)]
group_new_items()
write_synchronously(user, today_of(user))
write_synchronously(None, today_of(None))
story = Item.objects.get(pk=items[0].pk).story_id
print(ApiToken.issue(user, "test"), SigninToken.issue(user), story, *[item.pk for item in items])
"""


def wait_for(what: Callable[[], object], seconds: float = 60) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.1)
    return False


@dataclass
class Outlet:
    """A feed whose next response can be delayed."""

    titles: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    asked: int = 0

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked += 1
        self.gate.wait(200)
        items = "".join(
            f"<item><title>{title}</title><link>https://o.example/{title}</link></item>"
            for title in self.titles
        )
        feed = f"<rss version='2.0'><channel><title>Outlet</title>{items}</channel></rss>"
        reply(200, feed.encode())(handler)


class Product:
    """`manage.py serve` or `start` with its database in a folder of its own."""

    def __init__(self, folder: Path, *command: str, **more: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.env = environment(folder, "", PORT=str(self.port), HOST="127.0.0.1", **more)
        self.database = folder / "ainews.sqlite3"
        self.command = command

    def prepare(self) -> None:
        migrate(self.env)
        script = [sys.executable, "manage.py", "shell", "-v", "0", "-c", MAKE]
        done = subprocess.run(script, cwd=ROOT, env=self.env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        self.token, self.link, self.story, *items = done.stdout.split()
        self.items = items

    @contextmanager
    def running(self) -> Iterator[str]:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", *self.command],
                cwd=ROOT,
                env=self.env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        address = f"http://127.0.0.1:{self.port}"
        try:
            assert wait_for(lambda: self.is_up(address), 100), self.log()
            yield address
        finally:
            tree = self.tree()
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            finally:
                for process in tree:
                    if process.is_running():
                        process.kill()

    def is_up(self, address: str) -> bool:
        try:
            return httpx.get(f"{address}/health", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def tree(self) -> list[psutil.Process]:
        top = psutil.Process(self.process.pid)
        return sorted([top, *top.children(recursive=True)], key=lambda one: one.pid)

    def workers_are_up(self) -> bool:
        """Web, the leader of the cluster, its sentinel, its pool, its pusher, its monitor."""
        return len(self.tree()) >= 7


def signed_in(address: str) -> httpx.Client:
    client = httpx.Client(base_url=address, timeout=60)
    client.get("/signin/")
    form = {"username": "reader", "password": PASSWORD} | csrf(client)
    assert client.post("/signin/", data=form).status_code == 302
    return client


def csrf(client: httpx.Client) -> dict[str, str]:
    return {"csrfmiddlewaretoken": client.cookies["csrftoken"]}


def pages_of(product: Product) -> list[str]:
    """Return the pages that a reader can open, except item pages, and the lists of the API."""
    api = ["sources/", "items/", "stories/", "stories/ranked/", "taste/", "trends/", "digest/"]
    return [
        "/",
        "/?unread=1",
        f"/story/{product.story}/",
        "/river/",
        "/search/?q=subject",
        "/trends/",
        "/trends/subject/",
        "/taste/",
        "/taste/export.json",
        "/sources/",
        "/sources/add/",
        "/sources/1/",
        "/sources/export.opml",
        "/digest/",
        "/digest/global/",
        "/digest/writing/",
        "/digest/delivery/",
        "/digests/",
        "/digests/global/",
        "/ask/",
        "/preferences/",
        "/admin/",
        "/admin/feeds/source/",
        "/admin/feeds/item/",
        *(f"/api/v1/{name}" for name in api),
        f"/api/v1/items/{product.items[0]}/",
        f"/api/v1/stories/{product.story}/",
        "/api/v1/search/?q=subject",
    ]


def timed(client: httpx.Client, page: str) -> tuple[int, float]:
    answer = client.get(page)
    return answer.status_code, answer.elapsed.total_seconds()


def crawl(clients: dict[str, httpx.Client], pages: list[str]) -> dict[str, tuple[int, float]]:
    """Request each page. Returns {page: (status, seconds)}."""
    return {page: timed(clients["api" if "/api/" in page else "page"], page) for page in pages}


def usual(clients: dict[str, httpx.Client], pages: list[str]) -> dict[str, tuple[int, float]]:
    """Do the same after everything was loaded."""
    crawl(clients, pages)
    return crawl(clients, pages)


def clients_of(product: Product, address: str) -> dict[str, httpx.Client]:
    headers = {"Authorization": f"Bearer {product.token}"}
    return {
        "page": signed_in(address),
        "api": httpx.Client(base_url=address, headers=headers, timeout=60),
    }


def check_pages(
    clients: dict[str, httpx.Client], before: dict[str, tuple[int, float]]
) -> dict[str, float]:
    """Check that each page answers as before the lock. Returns the longest delay."""
    late = {}
    for page, (status, seconds) in crawl(clients, list(before)).items():
        expected, was = before[page]
        assert status == expected, (page, status)
        late[page] = seconds - was
    return late


def check_writes(product: Product, clients: dict[str, httpx.Client]) -> None:
    """Writes that time out are explained, on a page or as JSON, and are no server error."""
    page, api = clients["page"], clients["api"]
    item = product.items[3]
    form = page.post(f"/item/{item}/state/", data={"saved": "1"} | csrf(page))
    assert (form.status_code, form.headers["Retry-After"]) == (503, "10")
    assert "could not be saved" in form.text
    assert "<h1>" in form.text
    sent = api.post("/api/v1/states/", json={"items": [int(item)], "saved": True})
    assert (sent.status_code, sent.headers["Retry-After"]) == (503, "10")
    assert "could not be saved" in sent.json()["detail"]
    stranger = httpx.Client(base_url=str(page.base_url), timeout=60)
    stranger.get("/signin/")
    form = stranger.post(
        "/signin/", data={"username": "reader", "password": PASSWORD} | csrf(stranger)
    )
    assert (form.status_code, form.headers["Retry-After"]) == (503, "10")
    link = stranger.get(f"/signin/{product.link}")
    assert (link.status_code, link.headers["Retry-After"]) == (503, "10")
    again = page.get(f"/item/{item}/")
    assert again.status_code == 200


def check_afterwards(product: Product, clients: dict[str, httpx.Client]) -> None:
    page, api = clients["page"], clients["api"]
    address = str(page.base_url)
    assert wait_for(lambda: httpx.get(f"{address}/health").json() == {"status": "ok"}, 20)
    item = product.items[3]
    # It was opened while the lock was held, which was stored when the lock was free again.
    assert wait_for(lambda: api.get(f"/api/v1/items/{item}/").json()["is_read"], 20)
    assert page.post(f"/item/{item}/state/", data={"saved": "1"} | csrf(page)).status_code == 302
    assert api.get(f"/api/v1/items/{item}/").json()["is_saved"] is True
    # The link that could not be redeemed is still valid.
    stranger = httpx.Client(base_url=address, timeout=60)
    assert stranger.get(f"/signin/{product.link}").status_code == 302
    assert stranger.get("/river/").status_code == 200


def hold_and_check(product: Product, address: str, seconds: float) -> dict[str, float]:
    """Hold the lock for `seconds`, and request pages. Returns the longest delays by page."""
    clients = clients_of(product, address)
    before = usual(clients, pages_of(product))
    assert all(status in (200, 302, 404) for status, _ in before.values()), before
    first = f"/item/{product.items[0]}/"
    opened = statistics.median(timed(clients["page"], first)[1] for _ in range(3))
    latest: dict[str, float] = {}
    with WriteLock(product.database):
        until = time.monotonic() + seconds
        unopened = iter(product.items[4:])
        while time.monotonic() < until:
            for page, late in check_pages(clients, before).items():
                latest[page] = max(late, latest.get(page, 0.0))
            if item := next(unopened, None):
                status, took = timed(clients["page"], f"/item/{item}/")
                assert status == 200
                latest["/item/"] = max(took - opened, latest.get("/item/", 0.0))
            health = httpx.get(f"{address}/health")
            assert (health.status_code, health.json()["status"]) == (200, "degraded")
            assert "lock" in health.json()["database"]
            assert httpx.get(f"{address}/health/ready").status_code == 200
            if until - time.monotonic() > seconds / 2:
                check_writes(product, clients)
            time.sleep(1)
    check_afterwards(product, clients)
    return latest


def end_what_is_running(product: Product, outlet: Outlet, go: Path) -> None:
    """Wait until the lock is held."""
    assert wait_for(lambda: is_locked(product.database))
    outlet.gate.set()
    go.touch()


def is_locked(database: Path) -> bool:
    with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        connection.execute("ROLLBACK")
        return False


def test_a_held_write_lock_ends_no_process_and_loses_no_data(tmp_path: Path) -> None:
    """A poll has fetched but cannot store, and a finished task cannot be acknowledged."""
    product = Product(tmp_path, "serve", SQLITE_BUSY_TIMEOUT="1", WORKERS="2")
    product.prepare()
    outlet = Outlet(["first"])
    outlet.gate.set()
    with serve({"/feed": outlet.answer}) as server, Helper(product.env) as helper:
        helper.call("follow", f"{server.url}/feed")
        with product.running() as address:
            assert wait_for(product.workers_are_up)
            helper.call("due")
            assert wait_for(lambda: helper.call("counts")["items"] == 25)
            outlet.gate.clear()
            outlet.titles.append("second")
            helper.call("due")
            assert wait_for(lambda: outlet.asked == 2)
            job, go = tmp_path / "job", tmp_path / "go"
            helper.call("send", "tests.jobs.hold", "ainews", str(job), str(go))
            assert wait_for((tmp_path / "job.began").exists)
            tree = product.tree()
            once_locked = threading.Thread(target=end_what_is_running, args=(product, outlet, go))
            once_locked.start()
            latest = hold_and_check(product, address, 13)
            assert wait_for(lambda: helper.call("counts")["items"] == 26), product.log()
            assert wait_for(lambda: helper.call("waiting") == [0, 0], 150), product.log()
            counts = helper.call("counts")
            outlet.titles.append("third")
            helper.call("due")
            assert wait_for(lambda: helper.call("counts")["items"] == 27), product.log()
            assert product.tree() == tree, product.log()
    assert counts["failing"] == 0
    assert counts["told"] == counts["items"] == 26
    late = {page: seconds for page, seconds in latest.items() if seconds >= SLACK}
    assert not late
    assert "Traceback" not in product.log(), product.log()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_minutes_of_a_held_lock_with_the_sample_newsroom(tmp_path: Path) -> None:
    """Use the default settings, whose time-outs are longer."""
    newsroom = str(free_port())
    product = Product(
        tmp_path, "start", "--demo", "--newsroom-port", newsroom, FETCH_PORTS=newsroom
    )
    product.env |= {"LEASE_SECONDS": "900", "POLL_BATCH": ""}
    product.prepare()
    with product.running() as address:
        assert wait_for(lambda: "Running." in product.log(), 120), product.log()
        tree = product.tree()
        latest = hold_and_check(product, address, 120)
        assert "Traceback" not in product.log(), product.log()
        api = clients_of(product, address)["api"]
        newest = api.get("/api/v1/items/").json()["results"][0]["id"]

        def has_news() -> bool:
            return api.get("/api/v1/items/").json()["results"][0]["id"] != newest

        assert wait_for(has_news, 90), product.log()
        assert product.tree() == tree, product.log()
        print(latest, product.log())
    late = {page: seconds for page, seconds in latest.items() if seconds >= SLACK}
    assert not late
