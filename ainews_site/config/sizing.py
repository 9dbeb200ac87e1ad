"""Measures this machine, and derives default settings from its size. Pure, except measure()."""

import os
from dataclasses import dataclass
from pathlib import Path

GIB = 2**30
LIMITS = Path("/sys/fs/cgroup")
"""The folder with the limits of a container, by control groups of version 2 or 1."""
FETCHES_PER_CPU = 25
MIN_FETCHES, MAX_FETCHES = 20, 100
CPUS_PER_WORKER, MEMORY_PER_WORKER = 2, 2 * GIB
MAX_WORKERS = 16


@dataclass(frozen=True, slots=True)
class Machine:
    """The available CPUs, which may be a fraction in a container, and memory in bytes."""

    cpus: float
    memory: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """Defaults of WORKERS, FETCH_CONCURRENCY and POLL_BATCH."""

    workers: int
    fetch_concurrency: int
    poll_batch: int


def sizes_for(machine: Machine, *, sqlite: bool) -> Sizes:
    """Return default settings for `machine`.

    There is one worker for each two CPUs and each 2 GiB, but only one with SQLite, because a second
    would wait for the write lock. There are 25 concurrent fetches per CPU, from 20 to 100, and a
    batch has as many sources.
    """
    workers = int(min(machine.cpus // CPUS_PER_WORKER, machine.memory // MEMORY_PER_WORKER))
    fetches = min(max(int(machine.cpus * FETCHES_PER_CPU), MIN_FETCHES), MAX_FETCHES)
    if machine.memory < GIB:
        fetches = MIN_FETCHES
    return Sizes(
        workers=1 if sqlite else min(max(workers, 1), MAX_WORKERS),
        fetch_concurrency=fetches,
        poll_batch=fetches,
    )


def measure(limits: Path = LIMITS) -> Machine:
    """Return the size of this machine, or of the part that its container may use."""
    return Machine(
        min(_cpus(), cpu_limit(limits) or _cpus()),
        min(_memory(), memory_limit(limits) or _memory()),
    )


def cpu_limit(limits: Path) -> float | None:
    """Return the number of CPUs that a control group allows, or None without a limit."""
    quota, _, period = _read(limits / "cpu.max").partition(" ")
    if not quota:
        quota = _read(limits / "cpu" / "cpu.cfs_quota_us")
        period = _read(limits / "cpu" / "cpu.cfs_period_us")
    quota_us, period_us = _number(quota), _number(period)
    return quota_us / period_us if quota_us and period_us else None


def memory_limit(limits: Path) -> int | None:
    """Return the number of bytes that a control group allows, or None without a limit."""
    old = limits / "memory" / "memory.limit_in_bytes"
    return _number(_read(limits / "memory.max") or _read(old))


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):  # unknown on this system, so assume a small machine
        return GIB


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def _number(text: str) -> int | None:
    """Return a positive number, or None. `max` and -1 mean that there is no limit."""
    return int(text) if text.isdigit() and int(text) > 0 else None
