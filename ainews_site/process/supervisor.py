"""Runs the web server and the worker of one machine as child processes.

It restarts a child that died or hangs.
"""

import logging
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.cache import caches

from ainews_site.infra import stopping
from ainews_site.infra.console import report
from ainews_site.infra.invocation import child_command
from ainews_site.process import fast_start
from ainews_site.process.echo import Echo, how_it_ended
from ainews_site.process.fast_start import RUN, spawn, web_command
from ainews_site.process.stop_request import Stopped, deferred_stop, expect_stop
from ainews_site.queue.busy_lock import VARIABLE, IdleTimer, lock_file
from ainews_site.queue.config import FAST
from ainews_site.queue.schedule_repair import ClockCheck

HEARTBEAT_TIMEOUT = 30.0
"""Seconds without a heartbeat after which the worker counts as hanging."""
GRACE = 5.0
"""Seconds between asking a child to stop and killing it."""
INTERRUPT_AFTER = 20.0
"""Seconds after which a task that still runs in a stopping cluster is interrupted. Until then it
ends by itself at its next unit, and sends what it is sending."""
REPEAT = 0.5
STOP_SECONDS = 27.0
"""Seconds that all children have together to stop. Service managers wait for 30."""
SHORT_LIFE = 10.0
"""A child that ends within so many seconds counts as one that failed to start."""
MAX_PAUSE = 15.0
"""Longest pause before such a child is started again, in seconds."""
IDLE_SECONDS = 5.0
"""An idle cluster that was asked to stop does so within so many seconds. If it still runs, it has
lost a process and never ends by itself."""
MAX_SHORT_LIVES = 3
"""Number of failed starts in a row after which the web server is given up."""

logger = logging.getLogger(__name__)


class Child:
    """A child process that leads a process group, so that its forks can be killed with it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        process: "subprocess.Popen[bytes] | None" = None,
        environment: dict[str, str] | None = None,
        *,
        is_echoed: bool = False,
    ) -> None:
        """Start `command`, or adopt a `process` that runs it already.

        The last lines that a child writes are kept if it `is_echoed`, to report why it ended.
        """
        self.name, self.command, self.environment = name, list(command), environment
        self.busy_file: Path | None = None
        self._is_echoed = is_echoed
        self._follow(process or self._spawn())

    def start(self) -> None:
        if self.busy_file:
            self.busy_file.write_bytes(b"")  # ends the request to stop
        self._follow(self._spawn())

    def _spawn(self) -> "subprocess.Popen[bytes]":
        stderr = subprocess.PIPE if self._is_echoed else None
        return spawn(self.command, self.environment, stderr)

    def _follow(self, process: "subprocess.Popen[bytes]") -> None:
        self.started, self.process = time.monotonic(), process
        self._echo = Echo(process.stderr) if process.stderr else None

    @property
    def state(self) -> str:
        """Describe how it ended, in a phrase that follows its name."""
        return how_it_ended(self.process.poll())

    def last_lines(self) -> str:
        lines = self._echo.last_lines() if self._echo else []
        return "\n    ".join(["Its last lines:", *lines]) if lines else "It wrote nothing."

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def signal(self, number: int) -> None:
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return

    def ask_to_stop(self) -> None:
        """Send SIGTERM to the leader alone, which stops its own children in the right order.

        The tasks of a cluster learn of it by the `busy_file`.
        """
        if self.busy_file:
            stopping.write_request(self.busy_file)
        if self.is_running:
            self.process.terminate()

    def interrupt_tasks(self) -> None:
        """Interrupt the tasks of a cluster that was asked to stop."""
        for stat in heartbeats() or []:
            if self.busy_file and stat.pid == self.process.pid:
                for pid in stat.workers:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGTERM)

    def stop(self, grace: float = GRACE) -> None:
        """Ask it to stop, wait `grace` seconds, then kill the rest of its process group."""
        self.ask_to_stop()
        self.wait(grace)
        self.signal(signal.SIGKILL)
        self.process.wait()

    def wait(self, seconds: float) -> bool:
        """Wait until it ends, but no longer than `seconds`.

        Returns False, and early, if its `busy_file` shows that it runs no task and will never end
        by itself.
        """
        until = time.monotonic() + seconds
        idle = IdleTimer(self.busy_file) if self.busy_file else None
        while self.is_running and (left := until - time.monotonic()) > 0:
            if idle and idle.seconds() > IDLE_SECONDS:
                return False
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(min(left, 0.2))
        return True

    def clean_up(self) -> None:
        """Remove its lock file."""
        if self.busy_file:
            self.busy_file.unlink(missing_ok=True)

    def restart(self, grace: float = GRACE) -> None:
        self.stop(grace)
        self.start()


def web_child() -> Child:
    """Return the web server that `fast_start` started, or start one."""
    command = web_command(settings.HOST, settings.PORT)
    process, fast_start.started = fast_start.started, None
    return Child("web server", command, process, is_echoed=True)


def worker_child(queue: str = "", processes: int = 0) -> Child:
    """Start a cluster that works on `queue`, or on both queues if that is empty."""
    environment = {"Q_CLUSTER_NAME": queue} if queue else {}
    if processes:
        environment["WORKERS"] = str(processes)
    command = child_command("qcluster")
    busy_file = lock_file(queue or "both")
    environment[VARIABLE] = environment[stopping.VARIABLE] = str(busy_file)
    name = "fast worker" if queue == FAST else f"{queue} worker".strip()
    child = Child(name, command, environment=environment)
    child.busy_file = busy_file
    return child


def answers(web: Child, seconds: float = 30.0) -> bool:
    """Wait until our own server answers at /health. Returns False if it ends or is too slow."""
    host = "127.0.0.1" if settings.HOST in ("0.0.0.0", "::") else settings.HOST  # noqa: S104
    shown = f"[{host}]" if ":" in host else host
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + seconds
    while web.is_running and time.monotonic() < deadline:
        try:
            with opener.open(f"http://{shown}:{settings.PORT}/health", timeout=5) as answer:
                if answer.headers.get("X-Run") == RUN:
                    return True
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.1)
    return False


def wait_for_answer(web: Child) -> None:
    """Wait until the web server answers, else exit with the reason.

    A server that was killed is started again. One that ended by itself would do so again.
    """
    for _ in range(MAX_SHORT_LIVES):
        if answers(web):
            return
        reason = f"The web server {web.state} before its first answer."
        if web.is_running or web.process.returncode >= 0:
            break
        report(f"{reason} Restarting it.")
        web.restart()
    give_up(web, reason)


def give_up(web: Child, reason: str) -> None:
    """Print `reason` and the server's last lines, and exit."""
    report(f"{reason} {web.last_lines()}")
    raise SystemExit(1)


def heartbeats() -> list[Any] | None:
    """Return the recent heartbeats of all clusters, or None if they cannot be read."""
    from ainews_site.queue.schedules import cluster_stats

    try:
        return cluster_stats()
    except Exception:  # whatever the error, the supervisor must go on
        logger.exception("The workers' heartbeats cannot be read.")
        return None


def stop_all(children: Sequence[Child], seconds: float = STOP_SECONDS) -> None:
    """Ask all children to stop, and wait until they have ended or `seconds` have passed.

    The tasks of clusters end at their next unit, or are interrupted in time to give back what they
    hold. A second signal raises Stopped if the caller expects it.
    """
    began = time.monotonic()
    for child in children:
        child.ask_to_stop()
    interrupt_at = began + min(INTERRUPT_AFTER, seconds)
    late = [child for child in children if child.wait(max(interrupt_at - time.monotonic(), 0))]
    while (left := began + seconds - time.monotonic()) > 0:
        if not (late := [child for child in late if child.is_running]):
            break
        for child in late:
            child.interrupt_tasks()  # again, as a heartbeat may be missing for a moment
        late[0].wait(min(left, REPEAT))


class Watchdog:
    """Restarts a worker that died, is silent, or lost one of its processes.

    A process that is killed may hold a lock of the queue. Its successor then waits for ever
    although the heartbeat goes on, so the whole cluster is restarted.
    """

    def __init__(self, child: Child, grace: float = GRACE) -> None:
        self.child, self.grace = child, grace
        self.last_seen = time.monotonic()
        self.pause = 0.0

    def problem(self) -> str:
        """Return what is wrong with the worker now, or ""."""
        if not self.child.is_running:
            return f"it {self.child.state}"
        with deferred_stop():
            stats = heartbeats()
        if stats is None:
            self.last_seen = time.monotonic()  # unknown heartbeats are not missing ones
            return ""
        mine = [stat for stat in stats if stat.pid == self.child.process.pid]
        if mine and mine[0].workers:
            self.last_seen = time.monotonic()
            return "one of its processes died" if mine[0].reincarnations else ""
        is_silent = time.monotonic() - self.last_seen > HEARTBEAT_TIMEOUT
        return "no heartbeat" if is_silent else ""

    def check(self) -> None:
        """Restart the worker if something is wrong with it."""
        if (problem := self.problem()) and self._may_start():
            report(f"Restarting the {self.child.name}: {problem}.")
            self.child.restart(self.grace)
            self.last_seen = time.monotonic()

    def _may_start(self) -> bool:
        """Return False during the pause, which grows while the worker ends soon after its start."""
        age = time.monotonic() - self.child.started
        if age < self.pause:
            return False
        is_short = not self.child.is_running and age < self.pause + SHORT_LIFE
        self.pause = min(2 * self.pause + 1, MAX_PAUSE) if is_short else 0.0
        return True


def watch(web: Child, watchdog: Watchdog, tick: Callable[[], None]) -> None:
    """Check both children every two seconds, until a signal raises Stopped."""
    short_lives, clock_check = 0, ClockCheck()
    while True:
        with deferred_stop():
            clock_check.run_if_due()
        if not web.is_running:
            short_lives = short_lives + 1 if time.monotonic() - web.started < SHORT_LIFE else 0
            if short_lives >= MAX_SHORT_LIVES:
                give_up(web, f"The web server {web.state} several times in a row.")
            report(f"Restarting the web server: it {web.state}.")
            web.restart()
        watchdog.check()
        tick()
        time.sleep(2)


def run(
    ready: Callable[[], None],
    tick: Callable[[], None] = lambda: None,
    extra: Sequence[Child] = (),
    prepare: Callable[[], None] = lambda: None,
) -> None:
    """Start the web server and the worker, and supervise them until stopped.

    `prepare` is called while the web server starts, `ready` once it answers, and `tick` every two
    seconds from then on. `extra` children are stopped along with the others.
    """
    children, grace = list(extra), GRACE
    try:
        expect_stop()
        if "queue" in settings.CACHES:
            caches["queue"].clear()  # drop the heartbeats of the previous run
        children.append(web := web_child())
        prepare()
        wait_for_answer(web)
        children.append(worker := worker_child())  # after the page, for which somebody waits
        ready()
        watch(web, Watchdog(worker), tick)
    except Stopped:
        report("Stopping.")
        grace = 0.0
        with suppress(Stopped):  # a second signal stops at once
            expect_stop()
            stop_all(children)
    finally:
        stop_all(children, grace)
        for child in children:
            child.stop(0)
            child.clean_up()
