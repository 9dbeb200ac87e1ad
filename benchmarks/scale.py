"""Create a large library and time the actions of a reader.

    python benchmarks/scale.py postgres --items 10000000 [--folder DIR]
    python benchmarks/scale.py sqlite --items 500000 [--folder DIR]

The library (benchmarks/library.py) has 500 sources over 24 months and 1,000 readers with 100
sources each. Prints how long creating it took and the bytes per item, then the median, the 95th
percentile and the maximum of each action: once as a function call with an empty cache, and once as
a whole request (session, queries, template) in one process; and requests per second of eight
clients. With `--folder` the library is stored there, and the next run only measures.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.library import Library  # noqa: E402
from tests.services import Postgres, Redis  # noqa: E402

SERVER = {
    "shared_buffers": "4GB",
    "effective_cache_size": "14GB",
    "work_mem": "32MB",
    "maintenance_work_mem": "1GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
}
"""Settings that docs/explanation/scaling.md recommends for 24 GiB and PostgreSQL alone."""
HASTY = {"autovacuum": "off", "wal_level": "minimal", "max_wal_senders": "0"}
"""Settings for filling: rows that are copied into an empty table need no WAL."""
SAFE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
"""Settings for measuring."""


class PersistentPostgres(Postgres):
    """A server whose data directory is kept. `redis` is the cache beside it, if there is one."""

    redis: Redis | None = None

    def __init__(self, folder: Path, **options: str) -> None:
        super().__init__(**options)
        self.folder.rmdir()
        self.folder = folder

    def __exit__(self, *_: Any) -> None:
        self.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("kind", choices=("postgres", "sqlite"))
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="keep the library there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ainews-scale-") as made:
        folder = options.folder or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        (_with_postgres if options.kind == "postgres" else _with_sqlite)(options.items, folder)


def _with_postgres(items: int, folder: Path) -> None:
    place = folder / f"postgres-{items}"
    is_new = not (place / "filled").exists()
    if is_new:
        place.mkdir(exist_ok=True)
        _give_to_postgres(place)
        with PersistentPostgres(place, **SERVER, **HASTY) as server:
            _start_django(folder, server.url())
            _show_steps(_fill_postgres(Library(items, datetime.now(UTC))))
        (place / "filled").touch()
    with PersistentPostgres(place, **SERVER, **SAFE) as server:
        # In a separate process, because settings read the server's port at startup.
        _run_measuring(folder, server.url())


def _with_sqlite(items: int, folder: Path) -> None:
    place = folder / f"sqlite-{items}"
    place.mkdir(exist_ok=True)
    if not (place / "filled").exists():
        _start_django(place, "")
        from benchmarks.fill_sqlite import fill

        _show_steps(fill(Library(items, datetime.now(UTC))))
        (place / "filled").touch()
    _run_measuring(place, "")


def _give_to_postgres(place: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(place, "postgres")


def _fill_postgres(library: Library) -> dict[str, float]:
    from benchmarks.fill_postgres import fill

    return fill(library)


def _run_measuring(data: Path, url: str) -> None:
    env = os.environ | _environment(data, url) | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "benchmarks.measure"], cwd=ROOT, env=env, check=True)


def _environment(data: Path, url: str) -> dict[str, str]:
    return {
        "DATA": str(data),
        "DATABASE_URL": url,
        "REDIS_URL": "",
        "DATABASE_REPLICA_URLS": "",
        "DJANGO_SETTINGS_MODULE": "ainews_site.settings",
        "LOG_LEVEL": "WARNING",
        "COSTLY_AT_ONCE": "0",
    }


def _start_django(data: Path, url: str) -> None:
    os.environ.update(_environment(data, url))
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _show_steps(seconds: dict[str, float]) -> None:
    for step, spent in seconds.items():
        print(f"{step:45} {spent:8.0f} s")


if __name__ == "__main__":
    main()
