"""Replaces the workers of gunicorn one after another at SIGHUP.

An old worker is asked to stop when its successor has loaded the program, so that connections are
accepted all the time. (gunicorn itself would stop the old ones first.) If the successor cannot
start, the old workers stay. Memory is needed for one more worker meanwhile. `gunicorn_hooks` calls
the functions. The master keeps this module, so a change of it needs a restart.
"""

import os
import signal
from typing import Any

from gunicorn.arbiter import Arbiter


class _Replacement:
    """The replacement of workers that is going on."""

    def __init__(self) -> None:
        self.old: set[int] = set()
        self.size = 0
        self.successor: Any = None


_replacement = _Replacement()


def on_starting(server: Any) -> None:
    """Take over what gunicorn does at SIGHUP and SIGTTOU."""
    server.handle_hup = lambda: _begin(server)
    server.handle_ttou = lambda: _go_on(server)


def pre_fork(server: Any, worker: Any) -> None:
    worker.is_successor = bool(_replacement.old)
    if worker.is_successor:
        _replacement.successor = worker


def post_fork(server: Any, worker: Any) -> None:
    if worker.is_successor:
        worker.load_wsgi = lambda: _load_or_exit(server, worker)


def post_worker_init(worker: Any) -> None:
    if worker.is_successor:
        os.kill(worker.ppid, signal.SIGTTOU)


def child_exit(server: Any, worker: Any) -> None:
    """End the replacement if a successor ended before it was ready."""
    if _replacement.old and worker is _replacement.successor:
        server.log.error("The new worker did not start. The old workers go on.")
        _replacement.old.clear()
        server.num_workers = _replacement.size


def _load_or_exit(server: Any, worker: Any) -> None:
    """Load the application. An error would end the arbiter, and with it the old workers."""
    try:
        type(worker).load_wsgi(worker)
    except BaseException:
        server.log.exception("The application cannot be loaded.")
        os._exit(1)


def _begin(server: Any) -> None:
    """Start the first successor."""
    if _replacement.old:
        return
    server.app.reload()
    server.setup(server.app)
    _replacement.old, _replacement.size = set(server.WORKERS), server.num_workers
    server.num_workers += 1
    server.manage_workers()


def _go_on(server: Any) -> None:
    """Stop an old worker, as its successor is ready. The next one starts when it has ended."""
    _replacement.old &= server.WORKERS.keys()
    if not _replacement.old:
        Arbiter.handle_ttou(server)  # an operator wants fewer workers
        return
    _replacement.successor = None
    oldest = min(_replacement.old, key=lambda pid: server.WORKERS[pid].age)
    _replacement.old.discard(oldest)
    server.num_workers = _replacement.size + bool(_replacement.old)
    server.kill_worker(oldest, signal.SIGTERM)
