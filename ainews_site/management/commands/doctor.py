"""`manage.py doctor` checks everything that must work, and says how to fix what does not."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ainews_site.doctor import CHECKS, run_check
from ainews_site.production.checklist import ROWS, run_row
from ainews_site.production.proofs import PROOFS, record
from ainews_site.production.row import Outcome, Row, State


class Command(BaseCommand):
    help = (
        "Checks the configuration, database, cache, queue, models, disk, clock, mail and a feed, or"
        " the checklist of a production installation."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--production",
            action="store_true",
            help="check what an installation that others rely on needs",
        )
        parser.add_argument("--json", action="store_true", help="print JSON for programs")
        parser.add_argument(
            "--did",
            choices=tuple(PROOFS),
            help="record that this test of the installation was done today",
        )

    def handle(self, *, production: bool, json: bool, did: str | None, **_: Any) -> None:
        if did and not production:
            raise CommandError("--did needs --production.")
        if did:
            record(did)
        if production:
            self._check_production(as_json=json)
        else:
            self._check(as_json=json)

    def _check(self, *, as_json: bool) -> None:
        problems = {}
        for name in CHECKS:
            problem = problems[name] = run_check(name)
            if not as_json:
                mark = "!!" if problem else "ok"
                self.stdout.write(f"{mark}  {name}{': ' + problem if problem else ''}")
        if as_json:
            self.stdout.write(json.dumps(problems, indent=1))
        if any(problems.values()):
            raise SystemExit(1)

    def _check_production(self, *, as_json: bool) -> None:
        outcomes = []
        for number, row in enumerate(ROWS, 1):
            outcome = run_row(row)
            outcomes.append(outcome)
            if not as_json:
                self._show(number, row, outcome)
        states = [outcome.state for outcome in outcomes]
        if as_json:
            rows = [_as_json(*pair) for pair in zip(ROWS, outcomes, strict=True)]
            self.stdout.write(json.dumps(rows, indent=1))
        else:
            counts = (f"{states.count(state)} {state.value}" for state in State)
            self.stdout.write(f"\n{', '.join(counts)}.")
        if State.NOT_DONE in states:
            raise SystemExit(1)

    def _show(self, number: int, row: Row, outcome: Outcome) -> None:
        styles = {
            State.OK: self.style.SUCCESS,
            State.WARNING: self.style.WARNING,
            State.NOT_DONE: self.style.ERROR,
        }
        mark = styles[outcome.state](f"{outcome.state.value:8}")
        self.stdout.write(f"{mark}  {number:2}  {row.title}: {outcome.sentence}")
        if outcome.remedy:
            self.stdout.write(f"{'':14}{outcome.remedy}")


def _as_json(row: Row, outcome: Outcome) -> dict[str, str]:
    return {"name": row.name, "title": row.title, **asdict(outcome), "proof": row.proof}
