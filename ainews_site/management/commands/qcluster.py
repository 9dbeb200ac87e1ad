"""`manage.py qcluster` is django-q2's, with forks that share their memory."""

from typing import Any

from django.core.management.base import CommandParser
from django_q.management.commands import qcluster

from ainews_site.infra.gc_tuning import freeze_loaded_objects


class Command(qcluster.Command):  # type: ignore[misc]
    """Runs a cluster. `start`, `serve` and `worker` start it when they have run their checks.

    The other checks load all pages, which five processes would keep. Objects that are frozen before
    the forks stay shared, as no collection writes to them.
    """

    help = "Runs one cluster of the queue. `start`, `serve` and `worker` call it."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--run-once", action="store_true", help="stop when it has started")
        parser.add_argument(
            "-n", "--name", dest="cluster_name", help="name of its queue: ainews or slow"
        )

    def handle(self, *arguments: Any, **options: Any) -> None:
        freeze_loaded_objects()
        super().handle(*arguments, **options)
