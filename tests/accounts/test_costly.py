"""The number of costly requests of one reader is limited, so that pages of others still answer."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.test import Client, RequestFactory

from accounts import costly, delays, refusals
from accounts.costly import Slots, TooManyAtOnce, slots
from accounts.middleware import TooManyMiddleware, signin_floods
from accounts.models import ApiToken, User
from accounts.refusals import RefusalMiddleware
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db
PAGES = ["/", "/?topic=agents", "/search/?q=model", "/ask/?q=Who+publishes+a+model%3F"]
ENDPOINTS = ["stories/ranked/", "search/?q=model", "ask/?q=Who+publishes+a+model%3F", "schema/"]
SENTENCE = "Too many of your requests are running. Try again in 1 second."


@pytest.fixture(autouse=True)
def slot(settings: Any, tmp_path: Path) -> None:
    settings.COSTLY_AT_ONCE, settings.DATA = 1, tmp_path


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make requests fail instead of waiting for a slot."""
    monkeypatch.setattr(costly, "MAX_WAITING", 0)


@pytest.fixture
def reader() -> User:
    user = make_user()
    make_story(make_item(make_source(reader=user), "A lab publishes a model"))
    return user


@pytest.fixture
def client(reader: User) -> Client:
    client = Client()
    client.force_login(reader)
    return client


@contextmanager
def running(user: User) -> Iterator[None]:
    """One of the user's costly requests."""
    with slots.taken(str(user.pk)):
        yield


def test_of_eight_parallel_requests_one_runs_some_wait_and_the_rest_is_refused() -> None:
    running, most, outcomes = 0, 0, []
    lock, start = threading.Lock(), threading.Barrier(8)

    def act() -> None:
        nonlocal running, most
        start.wait()
        began = time.monotonic()
        try:
            with slots.taken("7"):
                with lock:
                    running += 1
                    most = max(most, running)
                time.sleep(0.2)
                with lock:
                    running -= 1
            outcomes.append("ran")
        except TooManyAtOnce:
            outcomes.append("refused" if time.monotonic() - began < 0.15 else "late")

    threads = [threading.Thread(target=act) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == 1
    assert outcomes.count("ran") == 1 + costly.MAX_WAITING
    assert outcomes.count("refused") == 8 - 1 - costly.MAX_WAITING


def test_a_reader_has_as_many_slots_as_the_setting_says(settings: Any, at_once: None) -> None:
    settings.COSTLY_AT_ONCE = 2
    both = slots.taken("7"), slots.taken("7")
    with both[0], both[1], slots.taken("8"), pytest.raises(TooManyAtOnce), slots.taken("7"):
        pass

    settings.COSTLY_AT_ONCE = 0
    with slots.taken("7"), slots.taken("7"), slots.taken("7"):
        pass


def test_processes_share_slots_and_a_killed_process_frees_its_slot(
    at_once: None, tmp_path: Path
) -> None:
    hold = (
        "import django; django.setup(); import time; from accounts.costly import slots\n"
        "with slots.taken('7'): print('taken', flush=True); time.sleep(60)"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "ainews_site.settings", "DATA": str(tmp_path)}
    command = [sys.executable, "-c", hold]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "taken\n"
        with pytest.raises(TooManyAtOnce), slots.taken("7"):
            pass
        other.send_signal(signal.SIGKILL)
        other.wait()

    with slots.taken("7"):
        pass


def test_a_request_that_waits_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costly, "PATIENCE", 0.1)
    with slots.taken("7"):
        with pytest.raises(TooManyAtOnce), slots.taken("7"):
            pass
        assert slots._waiting == 0


def test_after_a_burst_a_reader_gets_a_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(costly.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(costly.time, "sleep", sleep)
    fair = Slots()
    for _ in range(40):
        with fair.taken("7"):
            clock[0] += 0.5
    with fair.taken("8"):
        pass

    within = int(costly.BURST / 0.5)
    assert pauses[:within] == [0] * within
    share = 0.5 / (0.5 + pauses[-2])
    assert share == pytest.approx(costly.SHARE, rel=0.01)
    assert pauses[-1] == 0


def test_a_delay_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    fair, pauses = Slots(), []
    monkeypatch.setattr(costly.time, "sleep", pauses.append)
    fair._charge("7", time.monotonic() - 60)

    with fair.taken("7"):
        pass

    assert pauses == [costly.PATIENCE]


def test_a_full_disk_does_not_break_pages(client: Client, tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("not a folder")

    assert client.get("/").status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_a_page_without_a_slot_says_so(
    client: Client, reader: User, at_once: None, path: str
) -> None:
    with running(reader):
        refused = client.get(path)
        assert refused.status_code == 429
        assert refused.headers["Retry-After"] == "1"
        assert SENTENCE in refused.content.decode()
        assert client.get("/river/").status_code == 200
        other = Client()
        other.force_login(make_user("other"))
        assert other.get(path).status_code == 200

    refusals.refusals.clear()
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", ENDPOINTS)
def test_an_endpoint_without_a_slot_says_so(
    client: Client, reader: User, at_once: None, path: str
) -> None:
    token = ApiToken.issue(reader, "laptop")
    with running(reader):
        for headers in ({}, {"HTTP_AUTHORIZATION": f"Bearer {token}"}):
            refused = (client if not headers else Client()).get(f"/api/v1/{path}", **headers)
            assert refused.status_code == 429
            assert refused.json() == {"detail": SENTENCE}
            assert refused.headers["Retry-After"] == "1"
        assert client.get("/api/v1/items/").status_code == 200

    refusals.refusals.clear()
    assert client.get(f"/api/v1/{path}").status_code == 200


def test_asking_a_model_needs_a_slot(client: Client, reader: User, at_once: None) -> None:
    with running(reader):
        assert client.post("/ask/", {"q": "Who?"}).status_code == 429
        body = {"q": "Who publishes a model?"}
        answer = client.post("/api/v1/ask/", body, content_type="application/json")
        assert answer.status_code == 429


def test_an_unchanged_response_needs_no_slot(client: Client, reader: User, at_once: None) -> None:
    path = "/api/v1/search/?q=model"
    tag = client.get(path).headers["ETag"]
    # The first request with a tag is computed: tags are cached only of programs that send them.
    assert client.get(path, HTTP_IF_NONE_MATCH=tag).status_code == 304
    with running(reader):
        assert client.get(path, HTTP_IF_NONE_MATCH=tag).status_code == 304


def test_anonymous_clients_are_limited_by_address(at_once: None) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.7")
    request.user = Client().get("/signin/").wsgi_request.user
    with slots.taken(costly.caller_of(request)):
        refused = Client().get("/api/v1/schema/", REMOTE_ADDR="192.0.2.7")
        assert refused.status_code == 429
        assert Client().get("/api/v1/schema/", REMOTE_ADDR="192.0.2.8").status_code == 200


def test_a_slot_costs_no_query(
    client: Client, settings: Any, django_assert_max_num_queries: Any
) -> None:
    counts = []
    for settings.COSTLY_AT_ONCE in (0, 1):
        client.get("/")
        with django_assert_max_num_queries(40) as queries:
            client.get("/")
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_a_client_that_was_refused_is_refused_again_without_a_query(
    client: Client, reader: User, at_once: None, django_assert_num_queries: Any, settings: Any
) -> None:
    with running(reader):
        assert client.get("/search/?q=model").status_code == 429
    with django_assert_num_queries(0):
        refused = client.get("/search/?q=other")
    assert refused.status_code == 429
    assert SENTENCE in refused.content.decode()

    assert client.get("/").status_code == 200
    other = Client()
    other.force_login(reader)
    assert other.get("/search/?q=model").status_code == 200
    time.sleep(refusals.REFUSED)
    assert client.get("/search/?q=model").status_code == 200


def asgi_request(path: str, method: str = "GET") -> ASGIRequest:
    scope = {"type": "http", "path": path, "method": method, "headers": []}
    return ASGIRequest(scope | {"client": ["192.0.2.7", 1]}, BytesIO())


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds by which each refusal was delayed."""
    seconds: list[float] = []
    monkeypatch.setattr(delays.time, "sleep", seconds.append)
    monkeypatch.setattr(delays.connections, "close_all", lambda: None)
    return seconds


def test_under_daphne_a_repeated_refusal_is_delayed(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    def refuse(request: Any) -> HttpResponse:
        return refusals.too_many(request, TooManyAtOnce())

    middleware = RefusalMiddleware(refuse)
    middleware(asgi_request("/search/"))
    assert pauses == []
    assert middleware(asgi_request("/search/")).status_code == 429
    assert pauses == [delays.SECONDS]

    monkeypatch.setattr(delays, "_free", threading.BoundedSemaphore(1))
    with delays._free:
        assert middleware(asgi_request("/search/")).status_code == 429
    assert pauses == [delays.SECONDS]


def test_under_daphne_a_flood_of_sign_ins_is_delayed(pauses: list[float]) -> None:
    middleware = TooManyMiddleware(lambda request: HttpResponse())
    for _ in range(int(signin_floods.burst)):
        assert middleware(asgi_request("/signin/", "POST")).status_code == 200
    assert pauses == []

    assert middleware(asgi_request("/signin/", "POST")).status_code == 429
    assert pauses == [delays.SECONDS]
