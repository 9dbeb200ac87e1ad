"""A named lease has one holder at a time, and a former holder notices that it lost it."""

import multiprocessing
import os
import re
import socket
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from ainews_site.infra import db_clock
from feeds.coordination import lease as leases
from feeds.coordination.lease import lease
from feeds.models import Lease

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.get_default_timezone())


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Any:
    """A clock of the database that stands still until the test sets it."""
    times = {"now": NOW}
    monkeypatch.setattr(db_clock, "exact_now", lambda: times["now"])
    settings.LEASE_SECONDS = 120
    return times


@pytest.fixture
def as_another(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that gives this process the name of another one."""

    def become(name: str) -> None:
        monkeypatch.setattr(leases, "me", lambda: name)

    return become


def row(name: str = "group") -> Lease:
    return Lease.objects.get(pk=name)


def test_a_lease_is_free_after_the_with_block() -> None:
    with lease("group") as held:
        assert held is not None and held.name == "group"
        during = row()
    after = row()

    assert (during.until, during.holder) == (NOW + timedelta(seconds=120), leases.me())
    assert (after.until, after.holder, after.token) == (None, leases.me(), during.token)


def test_an_exception_frees_the_lease_too() -> None:
    with pytest.raises(ValueError, match="within"), lease("group"):
        raise ValueError("within")

    assert row().until is None


def test_another_process_gets_no_lease_until_it_expires(clock: Any, as_another: Any) -> None:
    as_another("first")
    with lease("group") as first:
        as_another("second")
        clock["now"] = NOW + timedelta(seconds=120)
        with lease("group") as early:
            assert first is not None and early is None
        assert row().holder == "first"  # who got none frees nothing
        assert row().until == NOW + timedelta(seconds=120)

        clock["now"] += timedelta(seconds=1)
        with lease("group") as second:
            assert second is not None and row().holder == "second"


def test_a_former_holder_can_neither_renew_nor_free_the_lease(clock: Any, as_another: Any) -> None:
    as_another("first")
    late = lease("group")
    first = late.__enter__()
    assert first is not None
    clock["now"] = NOW + timedelta(minutes=3)
    as_another("second")
    with lease("group") as second:
        taken = row()
        as_another("first")
        assert not first.renew()
        late.__exit__(None, None, None)
        assert (row().until, row().holder) == (taken.until, "second")
        as_another("second")
        assert second is not None and second.renew()


def test_a_new_claim_of_the_same_process_invalidates_its_old_lease() -> None:
    outer = lease("group")
    first = outer.__enter__()
    with lease("group") as second:
        taken = row()
        assert first is not None and second is not None
        assert not first.renew() and second.renew()
        outer.__exit__(None, None, None)
        assert (row().until, row().token) == (taken.until, taken.token)


def test_renewing_checks_the_name_of_the_holder(as_another: Any) -> None:
    as_another("first")
    with lease("group") as held:
        assert held is not None
        Lease.objects.filter(pk="group").update(holder="second")
        assert not held.renew()
    assert row().until is not None


def test_renewing_extends_only_this_lease(clock: Any) -> None:
    with lease("group") as held, lease("trends"):
        assert held is not None
        clock["now"] = NOW + timedelta(seconds=60)
        assert held.renew() is True
        assert row().until == NOW + timedelta(seconds=180)
        assert row("trends").until == NOW + timedelta(seconds=120)


def test_a_free_lease_with_another_name_is_not_claimed_too() -> None:
    Lease.objects.create(name="trends")

    with lease("group") as held:
        assert held is not None
        assert (row("trends").token, row("trends").until, row("trends").holder) == (0, None, "")


def test_leases_with_other_names_are_not_changed() -> None:
    with lease("trends"):
        before = row("trends")
        with lease("group") as held:
            assert held is not None
        after = row("trends")

    assert (after.token, after.until, after.holder) == (before.token, before.until, before.holder)


def test_a_holder_knows_whether_another_process_held_the_lease_in_between(as_another: Any) -> None:
    seen = []
    for name in ("first", "first", "second", "first"):
        as_another(name)
        with lease("group") as held:
            assert held is not None
            seen.append(held.was_mine)

    assert seen == [False, True, False, False]
    assert row().token == 4


def test_a_process_can_take_over_its_own_lease() -> None:
    Lease.objects.create(name="group", holder=leases.me(), until=NOW + timedelta(seconds=60))

    with lease("group") as held:
        assert held is not None and held.was_mine


@pytest.mark.parametrize(("ahead", "is_free"), [(86_400, False), (86_401, True)])
def test_a_lease_that_ends_after_more_than_a_day_is_ignored(ahead: int, is_free: bool) -> None:
    Lease.objects.create(name="group", holder="other", until=NOW + timedelta(seconds=ahead))

    with lease("group") as held:
        assert (held is not None) is is_free


def test_of_two_processes_that_read_the_same_row_one_gets_the_lease() -> None:
    """Another process claims and frees the lease between reading and updating its row."""

    def first_another(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("UPDATE") and not others:
            others.append("second")
            values = {"token": row().token + 1, "holder": "second", "until": None}
            Lease.objects.filter(pk="group").update(**values)
        return execute(sql, *rest)

    others: list[str] = []
    with connection.execute_wrapper(first_another), lease("group") as held:
        assert held is None
    assert others and row().holder == "second"


@pytest.mark.parametrize(("seconds", "lasts"), [(90, 90), (600, 600), (3600, 600)])
def test_a_lease_lasts_at_most_ten_minutes(seconds: int, lasts: int, settings: Any) -> None:
    settings.LEASE_SECONDS = seconds

    with lease("group"):
        assert row().until == NOW + timedelta(seconds=lasts)


def test_a_forked_process_is_another_holder() -> None:
    context = multiprocessing.get_context("fork")
    names: Any = context.SimpleQueue()
    process = context.Process(target=lambda: names.put(leases.me()))
    process.start()
    name = names.get()
    process.join()

    assert name != leases.me() == leases.me()
    assert str(os.getpid()) in leases.me()


def test_a_holder_is_named_by_machine_and_process() -> None:
    """With a random part: in containers, machines and processes often have the same names."""
    host, pid = re.escape(socket.gethostname()), os.getpid()

    assert re.fullmatch(rf"{host}:\d+:[0-9a-f]{{8}}:{pid}", leases.me())
