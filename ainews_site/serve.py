"""Runs web and worker of one machine as children, and starts again what died or hangs."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.cache import caches

from ainews_site import early
from ainews_site.early import RUN, spawn, web_command
from ainews_site.progress import say

HEARTBEAT_PATIENCE = 30.0
"""Seconds without a heartbeat after which the worker counts as hanging."""
GRACE = 5.0
SHORT_LIFE = 10.0
MOST_SHORT_LIVES = 3
"""A web server that ends so soon so often will not live at the next try either."""


class Child:
    """A process in a group of its own, so that it and what it forked end together."""

    def __init__(
        self, name: str, command: Sequence[str], process: "subprocess.Popen[bytes] | None" = None
    ) -> None:
        self.name, self.command = name, list(command)
        if process is None:
            self.start()
        else:
            self.started, self.process = time.monotonic(), process

    def start(self) -> None:
        self.started = time.monotonic()
        self.process = spawn(self.command, settings.BASE_DIR)

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
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(grace)
        self.signal(signal.SIGKILL)
        self.process.wait()

    def restart(self, grace: float = GRACE) -> None:
        self.stop(grace)
        self.start()


def web_child() -> Child:
    """The one that was started early, or a new one."""
    command = web_command(settings.HOST, settings.PORT)
    process, early.started = early.started, None
    return Child("web", command, process)


def worker_child() -> Child:
    return Child("worker", [sys.executable, str(settings.BASE_DIR / "manage.py"), "qcluster"])


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


def heartbeats() -> list[Any]:
    """The queue's clusters that gave a sign within the last seconds."""
    from ainews_site.tasks import cluster_stats

    return cluster_stats()


class Watchdog:
    """Sees a worker that is dead, silent, or lost a process of its pool.

    A killed pool process takes a lock of the queue along: its successor waits for
    ever while the heartbeat goes on, so a change in the pool restarts the cluster.
    """

    def __init__(self, child: Child) -> None:
        self.child = child
        self._forget()

    def _forget(self) -> None:
        self.last_seen = time.monotonic()
        self.pool: list[int] = []

    def complaint(self) -> str:
        """What is wrong now, in words; empty when all is well."""
        if not self.child.is_running:
            return "the worker has ended"
        mine = [stat for stat in heartbeats() if stat.pid == self.child.process.pid]
        if mine and mine[0].workers:
            return self._compare(mine[0].workers)
        silent = time.monotonic() - self.last_seen > HEARTBEAT_PATIENCE
        return "the worker gives no sign" if silent else ""

    def _compare(self, workers: list[int]) -> str:
        self.last_seen = time.monotonic()
        before, self.pool = self.pool, workers
        return "a process of the worker died" if before and before != workers else ""

    def look(self) -> None:
        if complaint := self.complaint():
            say(f"Starting the worker again: {complaint}.")
            self.child.restart()
            self._forget()


class Stopped(Exception):
    """Somebody asked to stop."""


def _raise_stopped(number: int, frame: Any) -> None:
    # A second Ctrl-C must not interrupt the stopping itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped


def watch(web: Child, watchdog: Watchdog, tick: Callable[[], None]) -> None:
    """Looks every two seconds, until stopped."""
    short_lives = 0
    while True:
        if not web.is_running:
            short_lives = short_lives + 1 if time.monotonic() - web.started < SHORT_LIFE else 0
            if short_lives >= MOST_SHORT_LIVES:
                say("The web server ends again and again; what it wrote above says why.")
                raise SystemExit(1)
            say("Starting the web server again: it has ended.")
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
        if not answers(web):
            say("The web server does not answer; what it wrote above says why.")
            raise SystemExit(1)
        children.append(worker := worker_child())  # not before: the page is waited for
        ready()
        watch(web, Watchdog(worker), tick)
    except Stopped:
        say("Stopping.")
    finally:
        for child in children:
            child.ask_to_stop()
        for child in children:
            child.stop()
