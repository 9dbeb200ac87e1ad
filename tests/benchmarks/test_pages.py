"""The benchmark of pages fails when a page costs more than its budget, and runs through on a
library that is small."""

import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.assets import load_all
from benchmarks.budgets import (
    BUDGETS,
    BYTES,
    POSTGRES,
    SQLITE,
    Cost,
    count_beyond,
    line_of,
    overruns,
    table_of_bytes,
)
from tests.services import missing

ROOT = Path(__file__).resolve().parents[2]
RIVER = BUDGETS["river"]
CHEAP = Cost(1.0, 1, 1.0, 1, 10_000, 5_000)


def test_a_page_within_a_fifth_of_its_budget_passes() -> None:
    cost = replace(CHEAP, cpu=RIVER.sqlite * 1.19, queries=RIVER.queries + 1)

    assert overruns("river", cost, SQLITE) == []
    assert count_beyond({"river": cost}, {}, SQLITE) == 0


def test_cpu_time_beyond_a_fifth_of_the_budget_fails() -> None:
    cost = replace(CHEAP, cpu=RIVER.sqlite * 1.21)

    assert overruns("river", cost, SQLITE) == ["CPU"]
    assert count_beyond({"river": cost, "item": CHEAP}, {}, SQLITE) == 1


def test_queries_beyond_a_fifth_of_the_budget_fail() -> None:
    cost = replace(CHEAP, queries=RIVER.queries * 2)

    assert overruns("river", cost, SQLITE) == ["queries"]
    assert "BEYOND: queries" in line_of("river", cost, SQLITE)


def test_each_database_has_its_own_budget() -> None:
    cost = replace(CHEAP, cpu=RIVER.postgres)

    assert overruns("river", replace(cost, cpu=RIVER.sqlite * 1.25), POSTGRES) == []
    assert overruns("river", replace(cost, cpu=RIVER.postgres * 1.25), POSTGRES) == ["CPU"]


def test_bytes_beyond_a_fifth_of_the_budget_fail() -> None:
    values: dict[str, float] = dict(BYTES)

    assert count_beyond({}, values, SQLITE) == 0
    values["JavaScript, KB sent"] *= 1.3
    assert count_beyond({}, values, SQLITE) == 1
    assert any(line.endswith("BEYOND: JavaScript, KB sent") for line in table_of_bytes(values))


def test_a_page_that_costs_more_after_a_change_says_so() -> None:
    line = line_of("river", replace(CHEAP, cpu_after_change=88.0), SQLITE)

    assert "88.0" in line
    assert "88.0" not in line_of("river", CHEAP, SQLITE)


def test_scripts_are_loaded_with_what_they_import() -> None:
    files = {
        "/static/js/a.js": b'import {x} from "./b.js";\nimport "/static/js/c.js";\n',
        "/static/js/b.js": b'export * from "./c.js"; const url = "./never.js";\n',
        "/static/js/c.js": b"",
        "/static/css/a.css": b'@import url("b.css");\nbody {}\n',
        "/static/css/b.css": b"",
    }
    html = (
        b'<link rel="stylesheet" href="/static/css/a.css"><script src="/static/js/a.js"></script>'
        b'<img src="https://elsewhere.example/a.png"><img src="/late.png" loading="lazy">'
    )

    loaded = load_all("/", html, lambda path: (len(files[path]), files[path]))

    assert loaded == {path: len(body) for path, body in files.items()}


@pytest.mark.slow
@pytest.mark.timeout(1_200)  # filling takes minutes on a busy machine
@pytest.mark.parametrize("database", [SQLITE, POSTGRES])
def test_pages_are_measured(database: str) -> None:
    if database == POSTGRES and missing():
        pytest.skip("needs PostgreSQL and Redis")
    with tempfile.TemporaryDirectory(prefix="ainews-pages-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user
        options = ["--database", database, "--items", "3000", "--runs", "3", "--folder", folder]
        command = [sys.executable, "benchmarks/pages.py", *options]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert done.returncode in (0, 1), done.stderr
    assert done.stderr == ""
    for page in BUDGETS:
        assert f"\n{page} " in done.stdout
    assert "JavaScript, KB sent" in done.stdout
