"""Attempts are counted in a real Redis and in the database, also in parallel."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connections
from django.test import override_settings
from django.utils import timezone

from accounts.attempts import forget_old_attempts
from accounts.limits import Counter, Limit, TooMany, in_words
from accounts.models import AttemptCount
from accounts.throttle import count_attempt, reset_attempts, uncount_attempt
from tests.ainews_site.infra.test_memo import caching_in
from tests.services import Redis, free_port, missing

FEW = Counter(Limit("test", free=3, pause=30, longest=100), "someone")
MANY = Counter(Limit("test many", free=10), "someone")


@pytest.fixture(params=["database", "redis"])
def store(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "redis" and "redis-server" in missing():
        pytest.skip("needs redis-server")
    with ExitStack() as stack:
        if request.param == "redis":
            redis: Redis = request.getfixturevalue("redis")
            stack.enter_context(caching_in(redis.url))
            stack.enter_context(override_settings(REDIS_URL=redis.url))
            cache.clear()
        yield request.param


def tries(times: int, *counters: Counter) -> list[int]:
    """Make `times` attempts. Returns the wait of each in seconds, 0 for an allowed one."""
    waits = []
    for _ in range(times):
        try:
            count_attempt(*counters)
        except TooMany as error:
            waits.append(error.wait)
        else:
            waits.append(0)
    return waits


@pytest.mark.django_db
def test_after_the_free_attempts_there_is_a_pause(store: str) -> None:
    assert tries(5, FEW) == [0, 0, 0, 0, 30]


@pytest.mark.django_db
def test_attempts_during_a_pause_are_not_counted(store: str) -> None:
    tries(5, FEW)

    assert tries(7, FEW, MANY)[0] == 30
    assert tries(11, MANY) == [0] * 11


@pytest.mark.django_db
def test_a_success_takes_the_attempts_back(store: str) -> None:
    tries(4, FEW)
    uncount_attempt(FEW)
    assert tries(2, FEW) == [0, 30]

    reset_attempts(FEW)

    assert tries(4, FEW) == [0] * 4


@pytest.mark.django_db
def test_each_counter_counts_separately(store: str) -> None:
    tries(5, FEW)

    assert tries(1, Counter(FEW.limit, "another")) == [0]


def test_the_pause_doubles_up_to_a_maximum() -> None:
    pauses = [FEW.limit.pause_after(n) for n in (3, 4, 5, 6, 7, 500)]

    assert pauses == [0, 30, 60, 100, 100, 100]


@pytest.mark.django_db(transaction=True)
def test_parallel_attempts_do_not_exceed_the_limit(store: str) -> None:
    def attempt(_: int) -> int:
        try:
            return tries(1, FEW)[0]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(12) as pool:
        waits = list(pool.map(attempt, range(48)))

    assert waits.count(0) == 4


@pytest.mark.django_db
def test_attempts_are_counted_in_the_database_if_redis_is_down() -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    with caching_in(url), override_settings(REDIS_URL=url):
        assert tries(5, FEW) == [0, 0, 0, 0, 30]
    assert AttemptCount.objects.count() == 1


@pytest.mark.django_db
def test_a_count_expires_an_hour_after_the_last_attempt() -> None:
    tries(5, FEW)
    hour_ago = timezone.now() - timedelta(hours=1)
    AttemptCount.objects.update(paused_until=hour_ago, forgotten_at=hour_ago)

    assert tries(4, FEW) == [0] * 4


@pytest.mark.django_db
def test_expired_rows_are_deleted() -> None:
    tries(1, FEW, MANY)
    AttemptCount.objects.filter(key=FEW.key).update(forgotten_at=timezone.now())

    assert forget_old_attempts() == 1
    assert [row.key for row in AttemptCount.objects.all()] == [MANY.key]


@pytest.mark.django_db
def test_stored_keys_reveal_no_account() -> None:
    tries(1, Counter(FEW.limit, "reader 192.0.2.7"))

    (row,) = AttemptCount.objects.all()
    assert "reader" not in row.key
    assert "192" not in row.key


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1 second"), (30, "30 seconds"), (119, "119 seconds"), (121, "3 minutes")],
)
def test_waits_are_described_in_words(seconds: int, words: str) -> None:
    assert in_words(seconds) == words
