"""`manage.py invalidate_caches`: what must follow a restore by other means than `restore`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from ainews_site.backup.invalidate import invalidate_caches
from ainews_site.infra.schema import problem_in_words, schema_problem


class Command(BaseCommand):
    help = (
        "Invalidates every cached value. Run it after the database was restored by other means than"
        " `restore`: by Litestream, from a base backup, or by promoting a standby."
    )
    requires_system_checks = ("ainews",)  # the others load every page

    def handle(self, **_: Any) -> None:
        try:
            if problem := schema_problem():
                raise CommandError(problem)
            invalidate_caches()
        except Error as error:
            reason = problem_in_words(error) or str(error)
            raise CommandError(f"Nothing was invalidated: {reason}") from error
        self.stdout.write("Every cached value is invalid now, also those in Redis.")
