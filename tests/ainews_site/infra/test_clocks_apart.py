"""Wrong clocks are reported, and no source is polled twice or forgotten because of them."""

import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from django_q.models import Schedule

from ainews_site.queue.schedule_repair import repair_schedules
from ainews_site.queue.schedules import ensure_schedules
from tests.services import Postgres
from tests.workers import (
    ROOT,
    Helper,
    Worker,
    environment,
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
    env = environment(tmp_path / "helper", postgres.migrated("clocks"))
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
            while outlets.answered < before + 80 and time.monotonic() < until:
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


def test_the_doctor_reports_a_wrong_clock(postgres: Postgres, tmp_path: Path) -> None:
    env = off(environment(tmp_path, postgres.migrated("doctors")), HOUR)
    command = [sys.executable, "manage.py", "doctor"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert "!!  clock: This machine's clock is 60 minutes ahead of the database's" in done.stdout
    postgres.sql("DROP DATABASE doctors WITH (FORCE)")


@pytest.mark.django_db
def test_a_schedule_that_a_wrong_clock_postponed_is_due_again() -> None:
    ensure_schedules()
    now = timezone.now()
    Schedule.objects.update(next_run=now + timedelta(hours=1))
    repair_schedules()
    due = Schedule.objects.filter(next_run__lte=timezone.now())
    often = {"poll_due", "write_due_digests", "deliver_digests"}
    assert set(due.values_list("name", flat=True)) == often
    Schedule.objects.update(next_run=now + timedelta(seconds=59))
    repair_schedules()
    assert not Schedule.objects.filter(next_run__lte=timezone.now()).exists()
