"""Machines whose clocks are an hour off: said in words, and nothing asked twice or forgotten."""

import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone
from django_q.models import Schedule

from ainews_site.tasks import ensure_schedules
from ainews_site.upkeep import mend_schedules
from feeds import clock
from feeds.ingest.lease import claim
from feeds.lease import lease
from feeds.models import Lease, Source
from feeds.tasks import poll_due
from tests.make import make_source
from tests.services import Postgres
from tests.workers import (
    ROOT,
    Helper,
    Worker,
    environment,
    migrate,
    publishing,
    stop_all,
    work_off,
)

HOUR = 3600


def off(env: dict[str, str], seconds: int) -> dict[str, str]:
    return env | {"PYTHONPATH": str(ROOT / "tests" / "off_clock"), "CLOCK_OFF": str(seconds)}


@pytest.mark.timeout(400)
def test_workers_with_clocks_hours_apart_poll_each_source_one_at_a_time(
    postgres: Postgres, tmp_path: Path
) -> None:
    postgres.sql("CREATE DATABASE clocks")
    env = environment(tmp_path / "helper", postgres.url("clocks"))
    migrate(env)
    with publishing(8, 2, 3) as outlets, Helper(env) as helper:
        helper.call("follow", *outlets.urls)
        workers = [
            Worker(off(env | {"DATA": str(tmp_path / f"off{n}")}, n * HOUR), "--queue", "fast")
            for n in (-1, 0, 1)
        ]
        try:
            for worker in workers:
                worker.wait_until_working()
            before, until = outlets.answered, time.monotonic() + 120
            while outlets.answered < before + 150 and time.monotonic() < until:
                outlets.publish_some()
                helper.call("due")
                time.sleep(0.1)
            work_off(outlets, helper, 120)
            assert stop_all(workers) == [0, 0, 0]
        finally:
            for worker in workers:
                worker.kill_all()
        counts = helper.call("counts")
    assert not outlets.overlaps
    assert isinstance(counts, dict)
    assert counts["items"] == counts["once"] == outlets.total
    behind, right, ahead = (worker.log() for worker in workers)
    assert "clock is 60 minutes behind the database's" in behind
    assert "clock is 60 minutes ahead of the database's" in ahead
    assert "clock is" not in right
    dates = "greatest(max(published_at), max(fetched_at)) < now() FROM feeds_item"
    assert postgres.sql(f"SELECT {dates}", "clocks") == "t"
    soon = "max(next_poll_at) < now() + interval '25 hours' FROM feeds_source"
    assert postgres.sql(f"SELECT {soon}", "clocks") == "t"
    postgres.sql("DROP DATABASE clocks WITH (FORCE)")


def test_the_doctor_says_it(postgres: Postgres, tmp_path: Path) -> None:
    env = off(environment(tmp_path, postgres.url("doctors")), HOUR)
    postgres.sql("CREATE DATABASE doctors")
    migrate(env)
    command = [sys.executable, "manage.py", "doctor"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert "!!  clock: This machine's clock is 60 minutes ahead of the database's" in done.stdout
    postgres.sql("DROP DATABASE doctors WITH (FORCE)")


@pytest.mark.django_db
def test_the_present_is_the_databases() -> None:
    assert abs(clock.ask() - timezone.now()) < clock.TOLERATED
    assert abs(clock.now() - clock.ask()) < timedelta(seconds=5)
    assert clock.problem() == ""


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor == "sqlite", reason="one machine has one clock")
def test_it_goes_on_between_two_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_asked", None)
    first = clock.now()
    monkeypatch.setattr(timezone, "now", lambda: first - timedelta(days=400))
    assert timedelta(0) <= clock.now() - first < timedelta(seconds=60)


@pytest.mark.django_db
def test_what_a_clock_put_off_for_years_is_due() -> None:
    """As one does that has lost its battery, or was set to another year."""
    later = timezone.now() + timedelta(days=700)
    source = make_source(next_poll_at=later, lease_until=later)
    Lease.objects.create(name="group", holder="another", until=later)
    poll_due()
    assert list(Source.objects.due()) == [source]
    assert claim([source.pk], clock.ask())
    with lease("group") as held:
        assert held is not None


@pytest.mark.django_db
def test_what_a_source_asks_to_wait_is_kept() -> None:
    source = make_source(next_poll_at=timezone.now() + timedelta(days=7))
    poll_due()
    assert not Source.objects.due().filter(pk=source.pk).exists()


@pytest.mark.django_db
def test_a_schedule_put_off_by_a_wrong_clock_is_due_again() -> None:
    ensure_schedules()
    now = timezone.now()
    Schedule.objects.update(next_run=now + timedelta(hours=1))
    mend_schedules()
    due = Schedule.objects.filter(next_run__lte=timezone.now())
    assert set(due.values_list("name", flat=True)) == {"poll_due", "write_due_digests"}
    Schedule.objects.update(next_run=now + timedelta(seconds=59))
    mend_schedules()
    assert not Schedule.objects.filter(next_run__lte=timezone.now()).exists()
