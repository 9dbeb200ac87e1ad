"""`manage.py migrate_ahead` runs the migrations that the previous release survives."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from ainews_site.infra.schema import is_contracting

Node = tuple[str, str]


class Command(BaseCommand):
    help = (
        "Runs the new migrations, except those that the previous release does not survive."
        " `migrate` runs all."
    )
    requires_system_checks = ("ainews",)

    def handle(self, *, verbosity: int, **_: Any) -> None:
        executor = MigrationExecutor(connection)
        plan = [
            (migration.app_label, migration.name)
            for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())
        ]
        postponed = {node for node in plan if is_contracting(node[1])}
        check_order(executor, plan, postponed)
        connection.close()
        for app, target in targets(executor, postponed):
            call_command("migrate", app, target, verbosity=verbosity)
        names = ", ".join(f"{app}.{name}" for app, name in sorted(postponed))
        self.stdout.write(f"Postponed: {names}." if names else "No migration was postponed.")


def check_order(executor: MigrationExecutor, plan: list[Node], postponed: set[Node]) -> None:
    """Refuse migrations that others must precede which the previous release does not survive."""
    for node in plan:
        earlier = set(executor.loader.graph.forwards_plan(node)) & postponed
        if node not in postponed and earlier:
            app, name = min(earlier)
            raise CommandError(
                f"{node[0]}.{node[1]} follows {app}.{name}, which the previous release does not"
                " survive. Install the release in between first, or stop AI News and run migrate."
            )


def targets(executor: MigrationExecutor, postponed: set[Node]) -> list[tuple[str, str]]:
    """Return (app, migration up to which to migrate) of each app.

    `check_order` has made sure that within an app all postponed migrations are the last ones.
    """
    graph = executor.loader.graph
    found = []
    for app, leaf in sorted(graph.leaf_nodes()):
        chain = [node for node in graph.forwards_plan((app, leaf)) if node[0] == app]
        if kept := [node for node in chain if node not in postponed]:
            found.append((app, kept[-1][1]))
    return found
