"""Cached values, with a real Redis that stops, hangs, rejects requests or is full."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
import redis as redis_client
from django.conf import settings
from django.core.cache import cache
from django.test import override_settings

from ainews_site.infra import cache as guarded
from ainews_site.infra import memo
from ainews_site.infra.cache import CacheUnavailable, circuit, with_cache
from ainews_site.infra.memo import cached, clear_local_cache
from tests.services import Redis, free_port, missing

pytestmark = pytest.mark.skipif("redis-server" in missing(), reason="needs redis-server")


@contextmanager
def caching_in(url: str) -> Iterator[None]:
    redis = {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": url,
        "OPTIONS": {
            "CONNECTION_POOL_KWARGS": {"socket_connect_timeout": 0.5, "socket_timeout": 0.5}
        },
    }
    with override_settings(CACHES=settings.CACHES | {"default": redis}):
        circuit.problem = ""
        try:
            yield
        finally:
            circuit.problem = ""


@pytest.fixture
def shared(redis: Redis) -> Iterator[None]:
    with caching_in(redis.url):
        cache.clear()
        yield


class Work:
    """A computation that takes `seconds`, and counts how often it ran."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.times = seconds, 0
        self.began = threading.Event()

    def __call__(self) -> int:
        self.times += 1
        self.began.set()
        time.sleep(self.seconds)
        return self.times


@pytest.mark.usefixtures("shared")
def test_a_fresh_value_with_the_same_validator_is_computed_once() -> None:
    work = Work()

    assert [cached("one", work, fresh=60) for _ in range(3)] == [1, 1, 1]
    assert cached("one", work, fresh=60, validator=2) == 2
    assert cached("one", work, fresh=60, validator=2) == 2
    assert cached("one", work, fresh=0, validator=2) == 3


@pytest.mark.usefixtures("shared")
def test_one_caller_recomputes_while_others_get_the_stale_value() -> None:
    assert cached("one", Work(), fresh=60, validator="old") == 1
    work = Work(seconds=1)

    def ask(_: object) -> int:
        return cached("one", work, fresh=60, validator="new")

    with ThreadPoolExecutor(12) as pool:
        first = pool.submit(ask, None)
        work.began.wait(10)
        started = time.monotonic()
        others = list(pool.map(lambda _: cached("one", Work(), fresh=60, validator=3), range(11)))
        waited = time.monotonic() - started

    assert (first.result(), work.times, others) == (1, 1, [1] * 11)
    assert waited < 0.9


@pytest.mark.usefixtures("shared")
def test_callers_without_a_stale_value_wait_for_the_new_one() -> None:
    work = Work(seconds=0.5)

    with ThreadPoolExecutor(12) as pool:
        values = list(pool.map(lambda _: cached("one", work, fresh=60), range(12)))

    assert values == [1] * 12
    assert work.times == 1


@pytest.mark.usefixtures("shared")
def test_after_a_failure_the_next_caller_computes() -> None:
    def fail() -> int:
        raise ValueError("not today")

    with pytest.raises(ValueError, match="not today"):
        cached("one", fail, fresh=60)

    started = time.monotonic()
    assert cached("one", Work(), fresh=60) == 1
    assert time.monotonic() - started < 1


@pytest.mark.usefixtures("shared")
def test_a_local_value_is_used_until_its_validator_changes() -> None:
    work = Work()
    assert cached("one", work, fresh=60, local_for=60) == 1
    cache.clear()

    assert cached("one", work, fresh=60, local_for=60) == 1
    assert cached("one", work, fresh=60, local_for=60, validator=2) == 2
    clear_local_cache()
    assert cached("one", work, fresh=60, local_for=60, validator=2) == 2


def test_a_redis_that_hangs_costs_one_time_out_and_is_used_again_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(guarded, "PAUSE", 0.2)
    with Redis() as server, caching_in(server.url):
        assert cached("one", Work(), fresh=60) == 1
        assert server.process is not None
        server.process.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        values = [cached("one", Work(), fresh=60) for _ in range(50)]
        waited = time.monotonic() - started
        time.sleep(0.3)
        started = time.monotonic()
        cached("one", Work(), fresh=60)
        asked_again = time.monotonic() - started
        server.process.send_signal(signal.SIGCONT)
        until = time.monotonic() + 20
        while circuit.current_problem() and time.monotonic() < until:
            time.sleep(0.05)

        assert values == [1] * 50
        assert waited < 1.5
        assert asked_again < 0.2
        assert with_cache(lambda cache: cache.get("probe")) == "1"
    said = [record.message for record in caplog.records if "Redis" in record.message]
    assert said == [
        "Redis does not answer. Pages and ingest continue without it.",
        "Redis is back.",
    ]


def take_the_only_place(client: "redis_client.Redis") -> None:
    """Connect as soon as the connection that checked the server is closed."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with suppress(redis_client.ConnectionError):
            client.ping()
            return
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("options", "change", "says"),
    [
        ({"requirepass": "right-one"}, ("right-one", "wrong-one"), "rejects the password"),
        ({"requirepass": "right-one"}, (":right-one@", ""), "rejects the password"),
        ({"maxmemory": "1mb", "maxmemory-policy": "noeviction"}, ("", ""), "is out of memory"),
        ({"maxclients": "1"}, ("", ""), "accepts no more connections"),
        ({}, ("/0", "/99"), "has no database with that number"),
    ],
)
def test_problems_of_redis_are_explained_and_values_are_computed(
    options: dict[str, str], change: tuple[str, str], says: str
) -> None:
    with Redis(**options) as server, caching_in(server.url.replace(*change)):
        if "maxclients" in options:
            other = redis_client.from_url(server.url)
            take_the_only_place(other)
        with pytest.raises(CacheUnavailable):
            for number in range(2_000):
                with_cache(lambda cache, n=number: cache.set(f"fill-{n}", "x" * 10_000))

        assert circuit.problem == says
        assert cached("one", Work(), fresh=60) == 1


def test_a_missing_redis_is_explained() -> None:
    with caching_in(f"redis://127.0.0.1:{free_port()}/0"):
        assert circuit.probe() == "does not answer"
        assert cached("one", Work(), fresh=60) == 1


def test_a_value_that_cannot_be_read_is_recomputed(redis: Redis) -> None:
    with caching_in(redis.url):
        redis_client.from_url(redis.url).set(":1:one", b"\x80\x05nonsense")

        assert cached("one", Work(), fresh=60) == 1
        assert circuit.problem == ""
        assert cached("one", Work(), fresh=60) == 1


def test_local_copies_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memo, "MAX_LOCAL", 10)
    for number in range(100):
        cached(f"copy-{number}", Work(), fresh=60, local_for=60)

    assert len(memo._local) <= 10
    assert "copy-99" in memo._local


def test_a_local_copy_is_dropped_when_it_is_too_old_to_be_of_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cached("old", Work(), fresh=60, local_for=60)
    monkeypatch.setattr(memo, "STALE_FOR", -120)
    monkeypatch.setattr(memo, "_purge_at", 0.0)
    cached("new", Work(), fresh=60, local_for=60)

    assert list(memo._local) == ["new"]


def test_a_value_that_is_not_claimed_is_computed_by_every_caller(shared: None) -> None:
    slow = Work(0.3)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cached, "own", slow, fresh=60, claim=False)
        slow.began.wait(5)
        assert cached("own", lambda: 9, fresh=60, claim=False) == 9
        assert first.result() == 1
    assert cached("own", Work(), fresh=60, claim=False) == 1


def test_a_value_that_is_not_shared_never_reaches_the_cache(shared: None) -> None:
    work = Work()

    assert cached("small", work, fresh=60, local_for=60, shared=False) == 1
    assert cached("small", work, fresh=60, local_for=60, shared=False) == 1
    assert cached("small", work, fresh=60, local_for=60, shared=False, validator=2) == 2
    assert cache.get("small") is None


def test_in_a_web_server_a_thread_computes_and_the_caller_does_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memo, "_fills_in_background", True)
    work = Work(0.3)

    def value(validator: int, fresh: float = 60) -> int | None:
        return memo.cached_in_background(
            "columns", work, fresh=fresh, validator=validator, local_for=60
        )

    assert [value(1), value(1)] == [None, None]
    assert wait_for(lambda: value(1) == 1)
    assert work.times == 1
    assert value(1, fresh=0) == 1  # it is old, and still valid
    assert wait_for(lambda: value(1) == 2)
    assert value(2) is None
    assert wait_for(lambda: value(2) == 3)


def wait_for(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + 10
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


def test_in_other_processes_the_caller_computes() -> None:
    assert memo.cached_in_background("x", Work(), fresh=60, validator=1, local_for=60) == 1
