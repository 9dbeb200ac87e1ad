"""`manage.py serve` runs the web server and the worker together, on one machine."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from ainews_site.infra.console import report
from ainews_site.infra.schema import schema_problem
from ainews_site.process.fast_start import port_problem
from ainews_site.process.supervisor import run


class Command(BaseCommand):
    help = "Runs the web server and the worker, and restarts whichever exits, until stopped."

    def handle(self, **_: Any) -> None:
        if problem := port_problem(settings.HOST, settings.PORT) or schema_problem():
            raise CommandError(problem)
        connection.close()
        run(lambda: report(f"AI News is running at http://{settings.HOST}:{settings.PORT}/"))
