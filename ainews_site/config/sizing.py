"""How large this machine is, and what settings suit its size. Pure, but for measure()."""

import os
from dataclasses import dataclass
from pathlib import Path

GIB = 2**30
LIMITS = Path("/sys/fs/cgroup")
"""Where a container's limits stand: version 2's files, and version 1's in folders of their own."""
FETCHES_A_CPU = 25
FEWEST_FETCHES, MOST_FETCHES = 20, 100
CPUS_A_WORKER, MEMORY_A_WORKER = 2, 2 * GIB
MOST_WORKERS = 16


@dataclass(frozen=True, slots=True)
class Machine:
    """CPUs that we may use, as a fraction where a container has a part of one, and bytes."""

    cpus: float
    memory: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """Defaults of WORKERS, FETCH_CONCURRENCY and POLL_BATCH."""

    workers: int
    fetch_concurrency: int
    poll_batch: int


def sizes_for(machine: Machine, *, sqlite: bool) -> Sizes:
    """One worker for each two CPUs and each 2 GiB; 25 fetches a CPU, from 20 to 100, and a
    batch that keeps all of them busy. SQLite has one writer: a second worker would wait."""
    workers = int(min(machine.cpus // CPUS_A_WORKER, machine.memory // MEMORY_A_WORKER))
    fetches = min(max(int(machine.cpus * FETCHES_A_CPU), FEWEST_FETCHES), MOST_FETCHES)
    if machine.memory < GIB:
        fetches = FEWEST_FETCHES
    return Sizes(
        workers=1 if sqlite else min(max(workers, 1), MOST_WORKERS),
        fetch_concurrency=fetches,
        poll_batch=fetches,
    )


def measure(limits: Path = LIMITS) -> Machine:
    """This machine, or the part of it that its container is given."""
    return Machine(
        min(_cpus(), cpu_limit(limits) or _cpus()),
        min(_memory(), memory_limit(limits) or _memory()),
    )


def cpu_limit(limits: Path) -> float | None:
    """CPUs that a control group grants; None for no limit."""
    quota, _, period = _read(limits / "cpu.max").partition(" ")
    if not quota:
        quota = _read(limits / "cpu" / "cpu.cfs_quota_us")
        period = _read(limits / "cpu" / "cpu.cfs_period_us")
    granted, of = _number(quota), _number(period)
    return granted / of if granted and of else None


def memory_limit(limits: Path) -> int | None:
    """Bytes that a control group grants; None for no limit."""
    old = limits / "memory" / "memory.limit_in_bytes"
    return _number(_read(limits / "memory.max") or _read(old))


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):  # not known here: take it for a small one
        return GIB


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def _number(text: str) -> int | None:
    """A positive number; `max` and -1 mean no limit."""
    return int(text) if text.isdigit() and int(text) > 0 else None
