"""`manage.py doctor` checks everything that must work, and says how to fix what does not."""

from typing import Any

from django.core.management.base import BaseCommand

from ainews_site.doctor import CHECKS, run_check


class Command(BaseCommand):
    help = "Checks the configuration, database, cache, queue, models, disk, clock, mail and a feed."

    def handle(self, **_: Any) -> None:
        problems = [self._report(name) for name in CHECKS]
        if any(problems):
            raise SystemExit(1)

    def _report(self, name: str) -> bool:
        problem = run_check(name)
        self.stdout.write(f"{'!!' if problem else 'ok'}  {name}{': ' + problem if problem else ''}")
        return bool(problem)
