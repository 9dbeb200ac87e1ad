"""The configuration of gunicorn that systemd needs; see `deploy/ainews-pages.service`.

gunicorn notifies systemd before its workers have loaded the pages. Here the first worker that has
loaded them does so, because the previous release is stopped then. The watchdog is notified by the
loop in which the master replaces workers that hang.
"""

from typing import Any

from ainews_site.infra.systemd import service

service()  # the master keeps the address, and gunicorn itself finds none


def on_starting(server: Any) -> None:
    """Notify the watchdog each time that the master looks for workers that hang."""
    replace_hanging_workers = server.murder_workers

    def and_notify() -> None:
        replace_hanging_workers()
        service().ping()

    server.murder_workers = and_notify


def post_worker_init(worker: Any) -> None:
    service().ready("serves pages")


def on_exit(server: Any) -> None:
    service().stopping()
