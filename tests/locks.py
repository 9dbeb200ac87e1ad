"""Another program that holds SQLite's write lock."""

import subprocess
import sys
from pathlib import Path
from typing import Self

HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
"""


class WriteLock:
    """`with` holds the lock in a process of its own, which writes nothing."""

    def __init__(self, database: Path) -> None:
        self.database = database

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(self.database)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "locked\n"
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()
