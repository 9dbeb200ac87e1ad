"""Two machines that run the scheduler at once queue each scheduled task once."""

import subprocess
import sys
import time
from pathlib import Path

from tests.services import Postgres
from tests.workers import ROOT, environment, migrate

SCHEDULES = 30
PREPARE = f"""
import django; django.setup()
from datetime import timedelta
from django.utils import timezone
from django_q.models import OrmQ, Schedule
OrmQ.objects.all().delete(); Schedule.objects.all().delete()
Schedule.objects.bulk_create([
    Schedule(func="tests.jobs.mark", name=str(n), schedule_type=Schedule.MINUTES, minutes=60,
             next_run=timezone.now() - timedelta(minutes=1)) for n in range({SCHEDULES})])
"""
SCHEDULE = """
import sys, time, django; django.setup()
from pathlib import Path
from django_q.brokers import get_broker
from django_q.scheduler import scheduler
broker = get_broker(); broker.queue_size()
Path(sys.argv[1]).touch()
while not Path(sys.argv[2]).exists():
    time.sleep(0.001)
scheduler(broker); scheduler(broker)
"""
COUNT = """
import django; django.setup()
from django.utils import timezone
from django_q.models import OrmQ, Schedule
print(OrmQ.objects.count(), Schedule.objects.filter(next_run__gt=timezone.now()).count())
"""


def python(env: dict[str, str], code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def schedule_twice(env: dict[str, str], folder: Path) -> None:
    """Run two schedulers, which begin in the same moment."""
    start, ready = folder / "start", [folder / "one", folder / "two"]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SCHEDULE, str(file), str(start)],
            env=env,
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for file in ready
    ]
    until = time.monotonic() + 100
    while not all(file.exists() for file in ready) and time.monotonic() < until:
        time.sleep(0.01)
    start.touch()
    for process in processes:
        errors = process.communicate(timeout=100)[1]
        assert process.returncode == 0, errors
        assert "Could not create task" not in errors


def check(env: dict[str, str], folder: Path) -> None:
    python(env, PREPARE)
    schedule_twice(env, folder)
    assert python(env, COUNT).split() == [str(SCHEDULES), str(SCHEDULES)]


def test_two_schedulers_queue_each_task_once(tmp_path: Path) -> None:
    env = environment(tmp_path / "data", "")
    migrate(env)
    check(env, tmp_path)


def test_two_schedulers_queue_each_task_once_on_postgresql(
    postgres: Postgres, tmp_path: Path
) -> None:
    env = environment(tmp_path / "data", postgres.migrated("two_schedulers"))
    check(env, tmp_path)
