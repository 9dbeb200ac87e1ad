"""`manage.py serve` runs the web server and the worker together, on one machine."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from ainews_site.infra.console import report
from ainews_site.process.fast_start import port_problem
from ainews_site.process.only_one import warned_of_another
from ainews_site.process.supervisor import run
from ainews_site.queue.schedules import ensure_schedules
from ainews_site.start_checks import check_command


class Command(BaseCommand):
    help = "Runs the web server and the worker, and restarts whichever exits, until stopped."
    requires_system_checks = ()  # check_command runs those that matter

    def handle(self, **_: Any) -> None:
        if problem := port_problem(settings.HOST, settings.PORT):
            raise CommandError(problem)
        check_command()
        ensure_schedules()
        connection.close()
        address = f"http://{settings.HOST}:{settings.PORT}/"
        with warned_of_another():
            run(lambda: report(f"AI News is running at {address}"))
