"""Runs web and worker of one machine as children, and starts again what died or hangs."""

import logging
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.cache import caches

from ainews_site.infra.console import report
from ainews_site.process import fast_start
from ainews_site.process.echo import Echo, how_it_ended
from ainews_site.process.fast_start import RUN, spawn, web_command
from ainews_site.queue.busy_lock import VARIABLE, Quiet, lock_file
from ainews_site.queue.config import FAST
from ainews_site.queue.schedule_repair import Upkeep

HEARTBEAT_PATIENCE = 30.0
"""Seconds without a heartbeat after which the worker counts as hanging."""
GRACE = 5.0
SHORT_LIFE = 10.0
LONGEST_PAUSE = 15.0
LONGEST_QUIET = 5.0
"""Seconds in which an idle cluster ends when it can; one that lost a process cannot."""
MOST_SHORT_LIVES = 3
"""A web server that ends so soon so often will not live at the next try either."""

logger = logging.getLogger(__name__)


class Child:
    """A process in a group of its own, so that it and what it forked end together."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        process: "subprocess.Popen[bytes] | None" = None,
        environment: dict[str, str] | None = None,
        *,
        is_echoed: bool = False,
    ) -> None:
        """Of one that is echoed the last lines are kept, to report why it ended."""
        self.name, self.command, self.environment = name, list(command), environment
        self.in_hand: Path | None = None
        self._is_echoed = is_echoed
        self._follow(process or self._spawn())

    def start(self) -> None:
        self._follow(self._spawn())

    def _spawn(self) -> "subprocess.Popen[bytes]":
        stderr = subprocess.PIPE if self._is_echoed else None
        return spawn(self.command, settings.BASE_DIR, self.environment, stderr)

    def _follow(self, process: "subprocess.Popen[bytes]") -> None:
        self.started, self.process = time.monotonic(), process
        self._echo = Echo(process.stderr) if process.stderr else None

    @property
    def state(self) -> str:
        """How it ended, in words that follow its name."""
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
        """SIGTERM to the leader alone: it tells its own children in its own order."""
        if self.is_running:
            self.process.terminate()

    def stop(self, grace: float = GRACE) -> None:
        """Asks, waits `grace` seconds, then kills whatever of the group is left."""
        self.ask_to_stop()
        self.wait(grace)
        self.signal(signal.SIGKILL)
        self.process.wait()

    def wait(self, seconds: float) -> None:
        """Until it has ended, or does nothing for a while where that can be seen."""
        until, quiet = time.monotonic() + seconds, Quiet(self.in_hand) if self.in_hand else None
        while self.is_running and (left := until - time.monotonic()) > 0:
            if quiet and quiet.seconds() > LONGEST_QUIET:
                return
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(min(left, 0.2))

    def forget(self) -> None:
        """Remove what tells that it works."""
        if self.in_hand:
            self.in_hand.unlink(missing_ok=True)

    def restart(self, grace: float = GRACE) -> None:
        self.stop(grace)
        self.start()


def web_child() -> Child:
    """The web server that was started early, or a new one."""
    command = web_command(settings.HOST, settings.PORT)
    process, fast_start.started = fast_start.started, None
    return Child("web server", command, process, is_echoed=True)


def worker_child(queue: str = "", processes: int = 0) -> Child:
    """A cluster that takes the one queue, or both where none is named."""
    own = {"Q_CLUSTER_NAME": queue} if queue else {}
    if processes:
        own["WORKERS"] = str(processes)
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "qcluster"]
    in_hand = lock_file(queue or "both")
    own[VARIABLE] = str(in_hand)
    name = "fast worker" if queue == FAST else f"{queue} worker".strip()
    child = Child(name, command, environment=own)
    child.in_hand = in_hand
    return child


def answers(web: Child, seconds: float = 30.0) -> bool:
    """Waits until our own server says ok at /health; False when it ends or is silent."""
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
    """Until its first answer. One that was killed is started again; one that ended by itself would
    do so again."""
    for _ in range(MOST_SHORT_LIVES):
        if answers(web):
            return
        said = f"The web server {web.state} before its first answer."
        if web.is_running or web.process.returncode >= 0:
            break
        report(f"{said} Restarting it.")
        web.restart()
    give_up(web, said)


def give_up(web: Child, said: str) -> None:
    report(f"{said} {web.last_lines()}")
    raise SystemExit(1)


def heartbeats() -> list[Any] | None:
    """The queue's clusters that gave a sign within the last seconds; None if that is unknown."""
    from ainews_site.queue.schedules import cluster_stats

    try:
        return cluster_stats()
    except Exception:  # whatever it is, whoever watches must not end
        logger.exception("The workers' heartbeats cannot be read.")
        return None


class Watchdog:
    """Sees a worker that is dead, silent, or lost one of its processes.

    A killed process takes a lock of the queue along: its successor waits for ever while
    the heartbeat goes on, so whatever the cluster had to replace restarts it whole.
    """

    def __init__(self, child: Child, grace: float = GRACE) -> None:
        self.child, self.grace = child, grace
        self.last_seen = time.monotonic()
        self.pause = 0.0

    def complaint(self) -> str:
        """What is wrong now, in words; empty when all is well."""
        if not self.child.is_running:
            return f"it {self.child.state}"
        known = heartbeats()
        if known is None:
            self.last_seen = time.monotonic()  # it cannot be blamed for what nobody knows
            return ""
        mine = [stat for stat in known if stat.pid == self.child.process.pid]
        if mine and mine[0].workers:
            self.last_seen = time.monotonic()
            return "one of its processes died" if mine[0].reincarnations else ""
        silent = time.monotonic() - self.last_seen > HEARTBEAT_PATIENCE
        return "no heartbeat" if silent else ""

    def look(self) -> None:
        if (complaint := self.complaint()) and self._may_start():
            report(f"Restarting the {self.child.name}: {complaint}.")
            self.child.restart(self.grace)
            self.last_seen = time.monotonic()

    def _may_start(self) -> bool:
        """What ends as soon as it starts is started ever more seldom."""
        age = time.monotonic() - self.child.started
        if age < self.pause:
            return False
        is_short = not self.child.is_running and age < self.pause + SHORT_LIFE
        self.pause = min(2 * self.pause + 1, LONGEST_PAUSE) if is_short else 0.0
        return True


class Stopped(Exception):
    """Somebody asked to stop."""


def _raise_stopped(number: int, frame: Any) -> None:
    # A second Ctrl-C must not interrupt the stopping itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped


def watch(web: Child, watchdog: Watchdog, tick: Callable[[], None]) -> None:
    """Looks every two seconds, until stopped."""
    short_lives, upkeep = 0, Upkeep()
    while True:
        upkeep.look()
        if not web.is_running:
            short_lives = short_lives + 1 if time.monotonic() - web.started < SHORT_LIFE else 0
            if short_lives >= MOST_SHORT_LIVES:
                give_up(web, f"The web server {web.state}, again and again.")
            report(f"Restarting the web server: it {web.state}.")
            web.restart()
        watchdog.look()
        tick()
        time.sleep(2)


def run(
    ready: Callable[[], None],
    tick: Callable[[], None] = lambda: None,
    extra: Sequence[Child] = (),
    prepare: Callable[[], None] = lambda: None,
) -> None:
    """Starts web and worker, calls `ready` once the page answers, and watches until stopped.

    `extra` children are stopped along with them.
    """
    children = list(extra)
    try:
        signal.signal(signal.SIGINT, _raise_stopped)
        signal.signal(signal.SIGTERM, _raise_stopped)
        if "queue" in settings.CACHES:
            caches["queue"].clear()  # heartbeats of before, in a place of our own
        children.append(web := web_child())
        prepare()
        wait_for_answer(web)
        children.append(worker := worker_child())  # not before: the page is waited for
        ready()
        watch(web, Watchdog(worker), tick)
    except Stopped:
        report("Stopping.")
    finally:
        for child in children:
            child.ask_to_stop()
        for child in children:
            child.stop()
            child.forget()
