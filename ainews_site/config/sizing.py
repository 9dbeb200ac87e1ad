"""Measures this machine, and derives default settings from its size. Pure, except measure()."""

import os
from dataclasses import dataclass
from pathlib import Path

GIB = 2**30
LIMITS = Path("/sys/fs/cgroup")
"""The folder with the limits of a container, by control groups of version 2 or 1."""
OWN_GROUPS = Path("/proc/self/cgroup")
"""The file that names the control groups of this process, below LIMITS."""
FETCHES_PER_CPU = 25
MIN_FETCHES, MAX_FETCHES = 20, 100
CPUS_PER_WORKER, MEMORY_PER_WORKER = 2, 2 * GIB
MAX_WORKERS = 16
CACHE, SMALL_CACHE = 32_000, 4_000
"""KB. What is not in it is usually in the page cache, which the kernel shrinks when it must."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The available CPUs, which may be a fraction in a container, and memory in bytes."""

    cpus: float
    memory: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """Defaults of WORKERS, FETCH_CONCURRENCY and POLL_BATCH, and the size of the cache that each
    connection to SQLite has, in KB."""

    workers: int
    fetch_concurrency: int
    poll_batch: int
    sqlite_cache: int


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
        sqlite_cache=SMALL_CACHE if machine.memory < GIB else CACHE,
    )


def measure(limits: Path = LIMITS, groups: Path = OWN_GROUPS) -> Machine:
    """Return the size of this machine, or of the part that its container or its service may use."""
    own = own_groups(groups)
    return Machine(
        min(_cpus(), cpu_limit(limits, own.get("cpu", "")) or _cpus()),
        min(_memory(), memory_limit(limits, own.get("memory", "")) or _memory()),
    )


def own_groups(groups: Path) -> dict[str, str]:
    """Return {controller: path of this process's control group}. A service with MemoryMax has its
    limit there, and a container at the root, because it sees only its own part."""
    found: dict[str, str] = {}
    for line in _read(groups).splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(",") if names else ("cpu", "memory"):  # version 2 has no names
            if path.strip("/") and (names or name not in found):
                found[name] = path.strip("/")
    return found


def cpu_limit(limits: Path, group: str = "") -> float | None:
    """Return the number of CPUs that the control groups up to `group` allow, or None without a
    limit."""
    allowed = []
    for folder in _up_from(limits, "cpu", group):
        quota, _, period = _read(folder / "cpu.max").partition(" ")
        if not quota:
            quota, period = (_read(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
        quota_us, period_us = _number(quota), _number(period)
        if quota_us and period_us:
            allowed.append(quota_us / period_us)
    return min(allowed, default=None)


def memory_limit(limits: Path, group: str = "") -> int | None:
    """Return the number of bytes that the control groups up to `group` allow, or None without a
    limit."""
    allowed = [
        limit for folder in _up_from(limits, "memory", group) if (limit := _memory_limit(folder))
    ]
    return min(allowed, default=None)


def _memory_limit(folder: Path) -> int | None:
    return _number(_read(folder / "memory.max") or _read(folder / "memory.limit_in_bytes"))


def _up_from(limits: Path, controller: str, group: str) -> list[Path]:
    """Return the folders of a control group and of all above it, of both versions."""
    paths = [Path(group), *Path(group).parents] if group else [Path()]
    return [root / path for path in paths for root in (limits, limits / controller)]


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
