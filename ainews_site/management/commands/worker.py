"""`manage.py worker` runs the tasks of the queue. It can run on several machines."""

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from ainews_site.infra.console import report
from ainews_site.infra.systemd import service
from ainews_site.metrics.server import serving_metrics
from ainews_site.process.stop_request import Stopped, deferred_stop, expect_stop
from ainews_site.process.supervisor import Child, Watchdog, stop_all, worker_child
from ainews_site.queue.config import FAST, SLOW
from ainews_site.queue.schedule_repair import ClockCheck
from ainews_site.queue.schedules import ensure_schedules
from ainews_site.start_checks import check_command

GRACE = 30.0
"""Seconds that they have if one process of the cluster died and all are restarted."""
PAUSE = 2.0


class Command(BaseCommand):
    help = (
        "Runs queued tasks and restarts processes that die or hang. SIGTERM ends running tasks at"
        " their next unit of work, and gives back what they have not done."
    )
    requires_system_checks = ()  # check_command runs those that matter

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--queue",
            choices=("fast", "slow", "all"),
            default="all",
            help="fast: polling and grouping; slow: digests and repairs; all, the default: both",
        )
        parser.add_argument(
            "--processes",
            type=int,
            default=settings.Q_CLUSTER["workers"],
            help="number of concurrent tasks; default: WORKERS, here %(default)s. With --queue all"
            " these are fast tasks, and one slow task runs in addition",
        )

    def handle(self, *, queue: str, processes: int, **_: Any) -> None:
        if processes < 1:
            raise CommandError("--processes must be at least 1.")
        check_command()
        ensure_schedules()
        connection.close()
        work(queues(queue, processes))


def queues(queue: str, processes: int) -> dict[str, int]:
    """Return the number of processes of each cluster. Slow tasks are rare, so one is enough."""
    if queue == "all":
        return {FAST: processes, SLOW: 1}
    return {FAST if queue == "fast" else SLOW: processes}


def work(wanted: dict[str, int]) -> None:
    """Run the clusters until stopped, then let running tasks end at their next unit of work."""
    children: list[Child] = []
    service()  # before the children start, which must not notify systemd
    try:
        expect_stop()
        children.extend(worker_child(name, processes) for name, processes in wanted.items())
        report(
            "Worker running. Ctrl-C or SIGTERM ends it within 30 seconds, a second one at once;"
            " tasks that are not done are given back."
        )
        service().ready("runs tasks")
        with serving_metrics():
            watch([Watchdog(child, GRACE) for child in children])
    except Stopped:
        service().stopping()
        report("Stopping. Running tasks end at their next unit of work.")
        with suppress(Stopped):
            expect_stop()
            stop_all(children)
    finally:
        for child in children:
            child.stop(0)
            child.clean_up()


def watch(watchdogs: Sequence[Watchdog]) -> None:
    """Check the clusters until a signal raises Stopped."""
    clock_check = ClockCheck()
    while True:
        with deferred_stop():
            clock_check.run_if_due()
        for watchdog in watchdogs:
            watchdog.check()
        service().ping()
        time.sleep(PAUSE)
