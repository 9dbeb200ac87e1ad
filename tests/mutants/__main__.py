"""Change the code in small ways and see whether a test notices: `make test-mutants`.

    python -m tests.mutants [--only TEXT] [--out FILE] [MODULE ...]

Prints how many mutants tests noticed for each module of `[tool.mutants]` in pyproject.toml, and the
survivors. Survivors in judged.toml were judged to change nothing that matters.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.mutants.config import LEAST, ROOT, modules
from tests.mutants.job import Job
from tests.mutants.report import report
from tests.services import missing

PROCESSES = 2
Row = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE")
    parser.add_argument("--only", default="", help="only mutants whose file or change has this")
    parser.add_argument("--out", help="a file for the results, a line of JSON each")
    chosen = parser.parse_args()
    names = [module.name for module in modules()]
    if unknown := set(chosen.modules) - set(names):
        parser.error(f"unknown module {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    # A shell lets its background processes ignore SIGINT; the servers of workers end by it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        rows = run(chosen.modules or names, Path(folder), chosen.only)
    if chosen.out:
        Path(chosen.out).write_text("".join(json.dumps(row) + "\n" for row in rows))
    shares = report(rows)
    print(f"{len(rows)} mutants in {(time.monotonic() - begun) / 60:.0f} minutes.")
    is_complete = {row["module"] for row in rows} == set(chosen.modules or names)
    return int(not is_complete or any(share < LEAST for share in shares))


def run(names: list[str], folder: Path, only: str) -> list[Row]:
    """All mutants on SQLite, then the survivors on PostgreSQL where it makes a difference."""
    first = [
        Job(name, "sqlite", shard, PROCESSES, str(folder / f"{name}.{shard}"), only)
        for name in names
        for shard in range(PROCESSES)
    ]
    rows = {(row["file"], row["number"]): row for row in run_jobs(first)}
    for row in run_jobs(_second(first, rows.values())):
        if row["outcome"] != "survived":
            rows[row["file"], row["number"]] = row
    return list(rows.values())


def _second(jobs: Iterable[Job], rows: Iterable[Row]) -> list[Job]:
    if missing():
        print("Without PostgreSQL: what only its tests notice survives.", file=sys.stderr)
        return []
    survivors: defaultdict[str, defaultdict[str, list[int]]]
    survivors = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["outcome"] == "survived":
            survivors[row["module"]][row["file"]].append(row["number"])
    on_postgresql = {module.name for module in modules() if module.on_postgresql}
    return [
        replace(
            job,
            database="postgresql",
            results=f"{job.results}.postgresql",
            numbers=dict(survivors[job.module]),
        )
        for job in jobs
        if job.module in on_postgresql and survivors[job.module]
    ]


def run_jobs(waiting: list[Job]) -> list[Row]:
    """Run the jobs in a few processes at once."""
    running: list[tuple[Job, subprocess.Popen[str]]] = []
    waiting, rows = list(waiting), []
    try:
        while waiting or running:
            while waiting and len(running) < PROCESSES:
                running.append(_start(waiting.pop(0)))
            time.sleep(0.2)
            for pair in [pair for pair in running if pair[1].poll() is not None]:
                running.remove(pair)
                rows += _results(*pair)
    finally:
        for _, process in running:  # ends the servers of its tests too
            process.send_signal(signal.SIGINT)
        for _, process in running:
            process.wait()
    return rows


def _start(job: Job) -> tuple[Job, subprocess.Popen[str]]:
    path = Path(f"{job.results}.job")
    job.save(path)
    command = [sys.executable, "-m", "tests.mutants.worker", str(path)]
    if job.database == "postgresql":
        command = [sys.executable, "-m", "tests.services", "postgres", "--", *command]
    with path.with_suffix(".log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, text=True)
    return job, process


def _results(job: Job, process: subprocess.Popen[str]) -> list[Row]:
    if process.returncode:
        print(Path(f"{job.results}.log").read_text()[-4000:], file=sys.stderr)
        print(f"The tests of {job.module} cannot run; its figures are incomplete.", file=sys.stderr)
    if not Path(job.results).exists():
        return []
    rows = [json.loads(line) for line in Path(job.results).read_text().splitlines()]
    print(f"{job.module} on {job.database}: {len(rows)} mutants", file=sys.stderr)
    return [{"module": job.module, **row} for row in rows]


if __name__ == "__main__":
    sys.exit(main())
