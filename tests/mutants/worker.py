"""Runs the tests of one module against its mutants, each in a process forked for it.

    python -m tests.mutants.worker JOB

JOB is a file that a Job writes. The process that forks has collected the tests, imported what they
import and made the test database. A child replaces the mutated module in memory, runs the tests
that reach the mutant until one fails, and ends; no file is ever changed.
"""

import contextlib
import gc
import json
import os
import pickle
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from select import select
from types import FrameType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from django.core.management import call_command
from django.db import connections

from tests.mutants.config import ROOT, Module, Target, modules
from tests.mutants.job import Job
from tests.mutants.mutate import Mutant
from tests.mutants.replace import replace

OPTIONS = ["-q", "-s", "-p", "no:xdist", "-p", "no:faulthandler", "-p", "no:timeout"]
LONGEST_BASELINE = 600.0
Lines = frozenset[tuple[str, int]]


def in_child(work: Callable[[], Any], seconds: float) -> tuple[str, Any]:
    """("ended", what `work` returned), ("timeout", None) or ("died", None)."""
    reading, writing = os.pipe()
    scratch = tempfile.mkdtemp(prefix="mutant-")
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            os.close(reading)
            _silence()
            os.environ["TMPDIR"] = tempfile.tempdir = scratch
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(work(), pipe)
        finally:
            os._exit(0)
    os.close(writing)
    data, is_over = _read(reading, seconds)
    os.close(reading)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    shutil.rmtree(scratch, ignore_errors=True)
    if not is_over:
        return "timeout", None
    return ("ended", pickle.loads(data)) if data else ("died", None)


def _read(pipe: int, seconds: float) -> tuple[bytes, bool]:
    """What the child wrote, and whether it ended in time."""
    data, until = b"", time.monotonic() + seconds
    while select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
        part = os.read(pipe, 1 << 20)
        if not part:
            return data, True
        data += part
    return data, False


def _silence() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)


class Runner:
    """Runs tests that pytest has collected, in this process."""

    def __init__(self, items: Sequence[pytest.Item]) -> None:
        # Tests that empty the database come last, as pytest-django has it.
        self.items = sorted(items, key=_empties_database)

    def first_failure(self, items: Sequence[pytest.Item]) -> str:
        return next((item.nodeid for item, failure in self.run(items) if failure), "")

    def run(self, items: Sequence[pytest.Item]) -> Iterator[tuple[pytest.Item, str]]:
        """Each test with the reason why it fails; "" if it passes."""
        for item, following in zip_longest(items, items[1:]):
            # What the whole session shares is not torn down after the last one.
            reports = runtestprotocol(item, log=False, nextitem=following or item.session)
            yield item, "\n".join(report.longreprtext for report in reports if report.failed)

    def prepare(self) -> None:
        """Run one test, so that what the session shares is there before the process forks, but
        for connections: processes cannot share one."""
        uses_database = (item for item in self.items if "db" in getattr(item, "fixturenames", ()))
        marked = (item for item in self.items if item.get_closest_marker("django_db"))
        self.first_failure([next(marked, None) or next(uses_database, None) or self.items[0]])
        connections.close_all()


def _empties_database(item: pytest.Item) -> bool:
    names = getattr(item, "fixturenames", ())
    marker = item.get_closest_marker("django_db")
    is_transactional = bool(marker and marker.kwargs.get("transaction"))
    return is_transactional or "transactional_db" in names or "live_server" in names


def _empty_database() -> None:
    """What a process that was killed may have left in a database outside of memory."""
    if connections["default"].vendor != "sqlite":
        call_command("flush", verbosity=0, interactive=False, allow_cascade=True)


class Tracer:
    """Notes which lines of the files are run."""

    def __init__(self, paths: frozenset[str]) -> None:
        self._paths = paths
        self._lines: set[tuple[str, int]] = set()

    def __enter__(self) -> None:
        threading.settrace(self._called)
        sys.settrace(self._called)

    def __exit__(self, *error: object) -> None:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]

    def take(self) -> Lines:
        """The lines since the last call."""
        lines, self._lines = frozenset(self._lines), set()
        return lines

    def _called(self, frame: FrameType, event: str, value: Any) -> Any:
        if frame.f_code.co_filename not in self._paths:
            return None
        self._lines.add((frame.f_code.co_filename, frame.f_lineno))
        return self._ran

    def _ran(self, frame: FrameType, event: str, value: Any) -> Any:
        self._lines.add((frame.f_code.co_filename, frame.f_lineno))
        return self._ran


class Tested:
    """The tests of a module, and what they do while nothing is changed."""

    def __init__(self, module: Module, runner: Runner) -> None:
        self._runner = runner
        self._kills: Counter[str] = Counter()
        how, rows = in_child(lambda: self._trace(module), LONGEST_BASELINE)
        if how != "ended" or isinstance(rows, str):
            raise SystemExit(f"{module.name}: a test fails without a mutant: {rows or how}")
        self._seconds = {test: seconds for test, seconds, _ in rows}
        self._reached: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
        for test, _, lines in rows:
            for line in lines:
                self._reached[line].add(test)

    def _trace(self, module: Module) -> list[tuple[str, float, Lines]] | str:
        tracer = Tracer(frozenset(str(target.path) for target in module.targets))
        rows = []
        begun = time.monotonic()
        with tracer:
            for item, failure in self._runner.run(self._runner.items):
                if failure:
                    return f"{item.nodeid}\n{failure}"
                rows.append((item.nodeid, time.monotonic() - begun, tracer.take()))
                begun = time.monotonic()
        return rows

    def outcome(self, target: Target, mutant: Mutant) -> tuple[str, str]:
        """What became of it, and the test that noticed."""
        items = self._reaching(target, mutant)

        def work() -> str:
            try:
                replace(target, mutant.number)
            except Exception:
                return "import"
            return self._runner.first_failure(items)

        # The machine may be busy.
        seconds = 10 + 4 * sum(self._seconds[item.nodeid] for item in items)
        how, failed = in_child(work, seconds)
        if how != "ended":
            in_child(_empty_database, LONGEST_BASELINE)
            return ("timeout" if how == "timeout" else "killed"), how
        self._kills[failed] += 1
        return ("killed" if failed else "survived"), failed

    def _reaching(self, target: Target, mutant: Mutant) -> list[pytest.Item]:
        """The tests that run its lines; those that are quick or noticed others come first."""
        names = set(self._seconds)
        if not mutant.is_global:
            lines = range(mutant.line, mutant.end + 1)
            reaching = {test for line in lines for test in self._reached[str(target.path), line]}
            # What no test reaches may have run when the module was imported.
            names = reaching or names
        items = [item for item in self._runner.items if item.nodeid in names]
        return sorted(
            items,
            key=lambda item: (
                _empties_database(item),
                -self._kills[item.nodeid],
                self._seconds[item.nodeid],
            ),
        )


class Plugin:
    """Takes the place of pytest's own loop over the tests."""

    def __init__(self, module: Module, job: Job) -> None:
        self._module, self._job = module, job

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        runner = Runner(session.items)
        runner.prepare()
        gc.freeze()
        tested = Tested(self._module, runner)
        with Path(self._job.results).open("a") as out:
            for target in self._module.targets:
                for mutant in self._job.mutants(target):
                    begun = time.monotonic()
                    outcome, test = tested.outcome(target, mutant)
                    row = asdict(mutant) | {"file": target.file, "outcome": outcome, "test": test}
                    row |= {"key": mutant.key, "seconds": round(time.monotonic() - begun, 2)}
                    out.write(json.dumps(row) + "\n")
                    out.flush()
        return True


def main(path: str) -> int:
    os.chdir(ROOT)
    job = Job.load(Path(path))
    module = next(module for module in modules() if module.name == job.module)
    options = [*OPTIONS, "--hypothesis-seed=0", *module.tests_on(job.database)]
    return int(pytest.main(options, plugins=[Plugin(module, job)]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
