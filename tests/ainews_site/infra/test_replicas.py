"""The real web server with a primary and a streaming standby, of which either may fail."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.services import Postgres, free_port, missing

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "long-enough-for-me"
LOCKED = (
    "SELECT count(*) > 0 FROM pg_locks"
    " WHERE relation = 'feeds_item'::regclass AND mode = 'AccessExclusiveLock'"
)
AWAITED = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
PAUSE, RESUME = "SELECT pg_wal_replay_pause()", "SELECT pg_wal_replay_resume()"
MAKE = f"""
from accounts.models import ApiToken
from tests.make import make_item, make_source, make_user
user = make_user(password={PASSWORD!r})
source = make_source(reader=user)
items = [make_item(source, f"Item {{n}}").pk for n in range(6)]
print(ApiToken.issue(user, "test"), *items)
"""
ANOTHER = """
from feeds.models import Source
from tests.make import make_item
print(make_item(Source.objects.get(), "One more").pk)
"""
EVENT = """
import json
from accounts.models import User
from feeds.web.live.news import NewsDesk
pk = User.objects.get().pk
print(json.dumps(NewsDesk().news_of({pk: {0}})[pk].since[0].as_event()))
"""


@dataclass
class Site:
    primary: Postgres
    standby: Postgres
    data: Path
    token: str = ""
    items: tuple[int, ...] = ()

    def env(self, *replicas: str, **more: str) -> dict[str, str]:
        urls = ",".join(replicas or [self.standby.url()])
        places = {"DATA": str(self.data), "DATABASE_URL": self.primary.url(), "REDIS_URL": ""}
        return os.environ | places | {"DATABASE_REPLICA_URLS": urls, "DEBUG": ""} | more

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.env(), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def title(self, title: str) -> None:
        """Gives the first item another title, as a correction does, past the site."""
        self.primary.sql(
            f"UPDATE feeds_item SET title = '{title}' WHERE id = {self.items[0]};"
            " INSERT INTO feeds_revision (name, number) VALUES ('content', 1)"
            " ON CONFLICT (name) DO UPDATE SET number = feeds_revision.number + 1"
        )

    def caught_up(self) -> None:
        position = self.primary.sql("SELECT pg_current_wal_insert_lsn()")
        behind = f"SELECT pg_last_wal_replay_lsn() >= '{position}'"
        wait_until(lambda: self.standby.sql(behind) == "t")


def wait_until(is_so: Callable[[], bool], seconds: float = 100) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if gone := missing():
        pytest.skip(f"not installed: {', '.join(gone)}")
    with ExitStack() as stack:
        primary = stack.enter_context(Postgres(wal_level="replica", max_wal_senders="5"))
        primary.migrated()
        standby = stack.enter_context(Postgres(standby_of=primary))
        made = Site(primary, standby, tmp_path_factory.mktemp("data"))
        made.token, *items = made.manage("shell", "-v", "0", "-c", MAKE).split()
        made.items = tuple(map(int, items))
        yield made


@pytest.fixture(autouse=True)
def whole(site: Site) -> Iterator[None]:
    """Each test starts with both servers, and with a standby that does not lag."""
    yield
    for server in (site.primary, site.standby):
        if server.process is None or server.process.poll() is not None:
            server.start()
    site.standby.sql(RESUME)
    site.caught_up()


@contextmanager
def serving(env: dict[str, str]) -> Iterator[str]:
    """Start the web server and return its address."""
    port = str(free_port())
    command = [sys.executable, "-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", port]
    web = subprocess.Popen([*command, "ainews_site.asgi:application"], cwd=ROOT, env=env)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(address))
        yield address
    finally:
        web.kill()
        web.wait()


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def address(site: Site) -> Iterator[str]:
    with serving(site.env()) as address:
        yield address


def signed_in(address: str) -> httpx.Client:
    """Return a client with its own cookies."""
    client = httpx.Client(base_url=address, timeout=30)
    client.get("/signin/")
    form = {"username": "reader", "password": PASSWORD} | csrf(client)
    assert client.post("/signin/", data=form).status_code == 302
    return client


def csrf(client: httpx.Client) -> dict[str, str]:
    return {"csrfmiddlewaretoken": client.cookies["csrftoken"]}


def with_token(site: Site, address: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {site.token}"}
    return httpx.Client(base_url=f"{address}/api/v1", headers=headers, timeout=30)


def settle(site: Site, client: httpx.Client) -> None:
    """Wait until pages come from the standby again, and the reader carries no LSN."""
    site.caught_up()
    client.cookies.delete("position", domain=client.base_url.host)
    client.get("/river/")
    wait_until(lambda: "position" not in client.get("/river/").headers.get("Set-Cookie", ""))


def test_a_page_is_read_from_the_standby(site: Site, address: str) -> None:
    reader = signed_in(address)
    settle(site, reader)
    site.standby.sql(PAUSE)
    site.title("New at the primary")

    assert "New at the primary" not in reader.get("/river/").text
    site.standby.sql(RESUME)
    site.caught_up()
    assert "New at the primary" in reader.get("/river/").text


def test_a_reader_sees_their_own_write_at_once(site: Site, address: str) -> None:
    reader, other = signed_in(address), signed_in(address)
    settle(site, other)
    site.standby.sql(PAUSE)

    sent = reader.post(f"/item/{site.items[0]}/state/", data={"saved": "1"} | csrf(reader))

    row = f'href="/item/{site.items[0]}/"'
    assert sent.status_code == 302
    assert row in reader.get("/river/?saved=1").text
    assert row not in other.get("/river/?saved=1").text  # who wrote nothing need not wait


def test_an_api_client_sees_its_own_write_at_once(site: Site, address: str) -> None:
    program, other = with_token(site, address), signed_in(address)
    program.get("/items/")  # notes when the token was used
    settle(site, other)
    site.standby.sql(PAUSE)

    sent = program.post("/states/", json={"items": [site.items[1]], "saved": True})
    mine = program.get("/items/?saved=1").json()["results"]

    page = f"/api/v1/items/{site.items[1]}/"
    assert site.items[1] in [one["id"] for one in mine]
    assert other.get(page).json()["is_saved"] is False
    handed_on = other.get(page, headers={"X-Position": sent.headers["X-Position"]})
    assert handed_on.json()["is_saved"] is True


def test_the_page_has_what_a_live_event_announced(site: Site, address: str) -> None:
    reader = signed_in(address)
    settle(site, reader)
    site.standby.sql(PAUSE)
    site.title("Told of just now")
    event = json.loads(site.manage("shell", "-v", "0", "-c", EVENT))

    assert "Told of just now" not in reader.get("/river/").text
    forged = {"X-Position": "9999999999999:AAAA"}
    assert "Told of just now" not in reader.get("/river/", headers=forged).text
    page = reader.get("/river/", headers={"X-Position": event["position"]})
    assert "Told of just now" in page.text
    # Later pages must not be older.
    assert "Told of just now" in reader.get(f"/item/{site.items[0]}/").text


def test_a_page_missing_on_the_standby_is_read_from_the_primary(site: Site, address: str) -> None:
    reader = signed_in(address)
    settle(site, reader)
    site.standby.sql(PAUSE)
    item = site.manage("shell", "-v", "0", "-c", ANOTHER).strip()

    assert reader.get(f"/item/{item}/").status_code == 200
    assert reader.get("/item/12345/").status_code == 404


def test_a_lagging_replica_is_not_used(site: Site) -> None:
    with serving(site.env(DATABASE_REPLICA_LAG="6")) as address:
        reader = signed_in(address)
        settle(site, reader)
        site.title("From where it counts")  # a standby is as old as the last that it replayed
        site.caught_up()
        site.standby.sql(PAUSE)
        site.title("Some seconds old")
        assert "Some seconds old" not in reader.get("/river/").text
        wait_until(lambda: "Some seconds old" in reader.get("/river/").text)
        assert "lags" in httpx.get(f"{address}/health").json()["replicas"]["replica1"]


def test_a_dead_replica_costs_a_moment_once(site: Site) -> None:
    with socket.socket() as silent:  # takes connections and never says a word
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        dead = f"postgres://ainews@127.0.0.1:{free_port()}/ainews"
        mute = f"postgres://ainews@127.0.0.1:{silent.getsockname()[1]}/ainews"
        with serving(site.env(dead, mute)) as address:
            reader = signed_in(address)
            time.sleep(6)
            slow, quick = (reader.get("/river/").elapsed.total_seconds() for _ in range(2))
            health = httpx.get(f"{address}/health").json()
    assert slow < 10
    assert quick < 2, "less than it takes to find out that one is silent"
    assert health["status"] == "degraded"
    assert set(health["replicas"].values()) == {"does not answer"}


def test_a_replica_that_stops_is_skipped_and_used_again_later(site: Site, address: str) -> None:
    reader = signed_in(address)
    settle(site, reader)
    site.standby.stop()

    assert reader.get("/river/").status_code == 200
    site.standby.start()
    settle(site, reader)
    assert httpx.get(f"{address}/health").json()["status"] == "ok"


def test_a_page_that_fails_on_the_standby_is_read_from_another_server(
    site: Site, address: str
) -> None:
    """A replayed lock blocks the query of the standby until that is cancelled."""
    site.standby.stop()
    site.standby.options["statement_timeout"] = "500ms"
    site.standby.start()
    reader = signed_in(address)
    try:
        settle(site, reader)
        with ThreadPoolExecutor() as pool, psycopg.connect(site.primary.url()) as holder:
            holder.execute("LOCK TABLE feeds_item IN ACCESS EXCLUSIVE MODE")
            site.primary.sql("SELECT pg_switch_wal()")  # sends what was not committed yet
            wait_until(lambda: site.standby.sql(LOCKED) == "t")
            asked = pool.submit(reader.get, "/river/?unread=1")  # not cached
            wait_until(lambda: site.primary.sql(AWAITED) == "t")
            holder.rollback()
            page = asked.result()
        assert page.status_code == 200
        assert "position" in page.headers["Set-Cookie"]  # the primary answered
    finally:
        site.standby.stop()
        del site.standby.options["statement_timeout"]


def test_reading_works_without_the_primary(site: Site, address: str) -> None:
    reader, program = signed_in(address), with_token(site, address)
    item = site.items[2]
    site.caught_up()
    site.primary.stop()

    for page in ("/", "/river/", "/sources/", "/preferences/", f"/item/{item}/"):
        assert reader.get(page).status_code == 200, page
    assert "Item 2" in reader.get(f"/item/{item}/").text
    assert program.get("/items/").status_code == 200
    assert program.get(f"/items/{item}/").json()["is_read"] is False
    health = httpx.get(f"{address}/health")
    assert (health.status_code, health.json()["status"]) == (200, "degraded")

    form = reader.post(f"/item/{item}/state/", data={"saved": "1"} | csrf(reader))
    assert (form.status_code, form.headers["Retry-After"]) == (503, "10")
    assert "Changes are temporarily unavailable" in form.text
    sent = program.post("/states/", json={"items": [item], "saved": True})
    assert (sent.status_code, sent.headers["Retry-After"]) == (503, "10")
    assert "Changes are temporarily unavailable" in sent.json()["detail"]
    assert httpx.get(f"{address}/digest/", cookies=dict(reader.cookies)).status_code == 503

    site.primary.start()
    wait_until(lambda: httpx.get(f"{address}/health").json()["status"] == "ok")
    time.sleep(1.1)
    again = reader.post(f"/item/{item}/state/", data={"saved": "1"} | csrf(reader))
    assert again.status_code == 302
    assert reader.get(f"/item/{item}/").status_code == 200
    site.caught_up()
    shown = program.get(f"/items/{item}/").json()
    assert (shown["is_read"], shown["is_saved"]) == (True, True)


def test_a_failed_write_is_explained(site: Site, address: str) -> None:
    """A standby in the place of the primary accepts connections, but no writes."""
    site.caught_up()
    env = site.env() | {"DATABASE_URL": site.standby.url()}
    with serving(env) as elsewhere:
        cookies = dict(signed_in(address).cookies)
        site.caught_up()
        reader = httpx.Client(base_url=elsewhere, cookies=cookies, timeout=30)
        assert reader.get(f"/item/{site.items[3]}/").status_code == 200
        form = {"saved": "1", "csrfmiddlewaretoken": cookies["csrftoken"]}
        sent = reader.post(f"/item/{site.items[3]}/state/", data=form)
    assert (sent.status_code, sent.headers["Retry-After"]) == (503, "10")


def test_without_any_database_pages_say_so(site: Site, address: str) -> None:
    reader, program = signed_in(address), with_token(site, address)
    site.caught_up()
    site.primary.stop()
    site.standby.stop()

    page, listed = reader.get("/river/"), program.get("/items/")
    assert (page.status_code, page.headers["Retry-After"]) == (503, "10")
    assert "The database does not respond" in page.text
    assert "The database does not respond" in listed.json()["detail"]
    assert httpx.get(f"{address}/health").status_code == 503
    site.standby.start()  # left alone as it is, but there is nobody else
    assert reader.get("/river/").status_code == 200
    health = httpx.get(f"{address}/health")
    assert (health.status_code, health.json()["status"]) == (200, "degraded")


@pytest.mark.parametrize(
    ("primary", "replicas", "says"),
    [
        ("postgres://a@h/n", "mysql://a:secret@h/n", "URL 1 must be postgres://"),
        ("postgres://a@h/n", "postgres://a@h/n,nonsense", "URL 2 must be postgres://"),
        ("postgres://a@h/n", "postgres://a:secret@h:port/n", "URL 1 must be postgres://"),
        ("postgres://a@h/n", "postgres://h", "URL 1 must be postgres://"),
        ("", "postgres://a:secret@h/n", "SQLite has no replicas"),
    ],
)
def test_an_invalid_replica_url_is_one_clear_sentence(
    tmp_path: Path, primary: str, replicas: str, says: str
) -> None:
    names = {"DATA": str(tmp_path), "DATABASE_URL": primary, "DATABASE_REPLICA_URLS": replicas}
    command = [sys.executable, "manage.py", "check"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | names, capture_output=True, text=True)
    assert done.returncode == 1
    assert says in done.stderr
    assert "secret" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
