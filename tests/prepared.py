"""What is prepared once in a run of the tests and then copied: databases with all tables.

A migration takes some seconds of CPU time, and many tests want a database of their own.
"""

import atexit
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VARIABLE = "AINEWS_TESTS_PREPARED"


def shared_folder() -> Path:
    """Return the folder of this run. Child processes, such as those of xdist, inherit its name."""
    if VARIABLE not in os.environ:
        os.environ[VARIABLE] = tempfile.mkdtemp(prefix="ainews-prepared-")
        atexit.register(_remove, os.environ[VARIABLE], os.getpid())
    return Path(os.environ[VARIABLE])


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # not a fork of it
        shutil.rmtree(folder, ignore_errors=True)


def prepared(name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder that `make` filled in the first process that asked for it."""
    folder = shared_folder() / name
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            half = folder.with_suffix(".half")
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir()
            make(half)
            half.rename(folder)
    return folder


def migrated_sqlite() -> Path:
    return prepared("sqlite", lambda folder: run_migrate(folder, "")) / "ainews.sqlite3"


def run_migrate(data: Path, database: str) -> None:
    """Run the command as an administrator does."""
    places = {"DATA": str(data), "DATABASE_URL": database, "DATABASE_REPLICA_URLS": ""}
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"],
        cwd=ROOT,
        env=os.environ | places | {"REDIS_URL": ""},
        check=True,
    )
