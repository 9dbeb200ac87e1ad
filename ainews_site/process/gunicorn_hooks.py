"""The configuration of gunicorn that systemd needs; see `deploy/ainews-pages.service`.

gunicorn notifies systemd before its workers have loaded the pages. Here the first worker that has
loaded them does so, because the previous release is stopped then. The watchdog is notified by the
loop in which the master replaces workers that hang.
"""

from typing import Any

from ainews_site.infra.systemd import service
from ainews_site.process import gunicorn_replace
from ainews_site.process.gunicorn_replace import child_exit, post_fork, pre_fork

__all__ = ["child_exit", "post_fork", "pre_fork"]

service()  # the master keeps the address, and gunicorn itself finds none


logger_class = "ainews_site.observe.gunicorn_logger.Logger"
"""As in gunicorn.conf.py, which gunicorn does not read where `-c` names another configuration."""
worker_class, keepalive, graceful_timeout = "gthread", 75, 25
"""Nginx keeps a connection for 60 seconds, so it never sends a request on one that gunicorn closes.
systemd and Kubernetes wait for 30 seconds until they kill."""


def on_starting(server: Any) -> None:
    """Notify the watchdog each time that the master looks for workers that hang."""
    gunicorn_replace.on_starting(server)
    replace_hanging_workers = server.murder_workers

    def and_notify() -> None:
        replace_hanging_workers()
        service().ping()

    server.murder_workers = and_notify


def post_worker_init(worker: Any) -> None:
    gunicorn_replace.post_worker_init(worker)
    service().ready("serves pages")


def on_exit(server: Any) -> None:
    service().stopping()
