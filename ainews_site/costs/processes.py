"""The CPU time of the processes of AI News on this machine, from /proc."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ainews_site.infra.places import BASE

PROC = Path("/proc")
PROGRAMS = (b"gunicorn", b"daphne", b"manage.py", b"ainews")
SHORTEST = 60.0
"""A process that is younger says nothing about an hour."""


@dataclass(frozen=True, slots=True)
class Processes:
    """`cores` is how many cores they have kept busy on average since they started."""

    number: int
    cores: float


def measure(proc: Path = PROC, folder: Path = BASE) -> Processes:
    """Measure the processes that run in `folder`, which is that of the program."""
    shares = [share for pid in _pids(proc) if (share := _share(proc, pid, folder)) is not None]
    return Processes(len(shares), sum(shares))


def _pids(proc: Path) -> Iterator[str]:
    names = (entry.name for entry in proc.iterdir()) if proc.is_dir() else iter(())
    return (name for name in names if name.isdecimal() and name != str(os.getpid()))


def _share(proc: Path, pid: str, folder: Path) -> float | None:
    """Return the share of a core, with that of children that have ended, or None if it is not one
    of ours."""
    try:
        if (proc / pid / "cwd").readlink() != folder:
            return None
        command = (proc / pid / "cmdline").read_bytes()
        fields = (proc / pid / "stat").read_text().rpartition(")")[2].split()
        uptime = float((proc / "uptime").read_text().split()[0])
    except (OSError, ValueError):  # it ended just now, or is somebody else's
        return None
    if not any(program in command for program in PROGRAMS):
        return None
    ticks = os.sysconf("SC_CLK_TCK")
    age = uptime - int(fields[19]) / ticks
    return sum(map(int, fields[11:15])) / ticks / age if age > SHORTEST else None
