"""The values that the processes of a machine record, in files of DATA/metrics.

Each process writes to a file of its own, which is mapped into its memory: a value survives
`kill -9`, and no process waits for another. A process holds an flock of its file for as long as it
lives. The kernel releases it whatever ends the process, so a file whose lock is free belongs to a
process that is gone. `read_all` adds such files to the totals and deletes them.

An error is logged once, and recording stops in that process: metrics break no page and no poll.
"""

import fcntl
import json
import logging
import mmap
import os
import secrets
import struct
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from ainews_site.infra.process_state import resets_process_state

FOLDER, TOTALS, LOCK = "metrics", "totals.json", "lock"
SUFFIX, NEW_SUFFIX = ".values", ".new"
MANY_FILES = 32
"""A process that starts with so many files adds up those of processes that are gone."""
MOST_SERIES = 20_000
"""Series of one process, and of the totals. More are not recorded."""
SEPARATOR = "\x1f"
LEVEL = "="
"""Begins the key of a level, which ends with its process."""
_MAGIC = b"AINEWS01"
_HEADER, _ENTRY = struct.Struct("=8sQ"), struct.Struct("=HH")
"""Magic and number of bytes used; length of the key and number of values."""
_FIRST_SIZE = 64 * 1024

logger = logging.getLogger(__name__)

Series = dict[str, list[float]]
"""Values by metric and labels, which `key_of` joins."""


@dataclass
class Everything:
    """The values of all processes. `levels` are those of processes that run."""

    series: Series = field(default_factory=dict)
    processes: list[tuple[str, int]] = field(default_factory=list)
    """(role, process id) of the processes that run."""


def key_of(name: str, labels: Iterable[str]) -> str:
    return SEPARATOR.join((name, *labels))


def folder() -> Path:
    return Path(settings.DATA) / FOLDER


class Writer:
    """The file of this process. Values are also in memory, so that nothing is read back."""

    def __init__(self, where: Path) -> None:
        where.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._places: dict[tuple[str, tuple[str, ...]], tuple[int, list[float]]] = {}
        name = f"{role()}.{os.getpid()}.{secrets.token_hex(4)}"
        new, self.path = where / (name + NEW_SUFFIX), where / (name + SUFFIX)
        self._descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        # Without the lock, `read_all` of another process could take it for that of a dead one.
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        self._used = _HEADER.size
        self._map = self._grown(_FIRST_SIZE)
        _HEADER.pack_into(self._map, 0, _MAGIC, self._used)
        new.rename(self.path)

    def change(
        self,
        name: str,
        labels: tuple[str, ...],
        size: int,
        changes: Iterable[tuple[int, float]],
        *,
        replaces: bool = False,
    ) -> None:
        """Add to, or replace, values of a series with `size` values."""
        with self._lock:
            place = self._places.get((name, labels)) or self._append(name, labels, size)
            if place is None:
                return
            offset, values = place
            for number, amount in changes:
                value = amount if replaces else values[number] + amount
                values[number] = value
                struct.pack_into("=d", self._map, offset + 8 * number, value)

    def _append(
        self, name: str, labels: tuple[str, ...], size: int
    ) -> tuple[int, list[float]] | None:
        if len(self._places) >= MOST_SERIES:
            return None
        key = key_of(name, labels).encode(errors="replace")[:2000]
        offset = self._used + _padded(_ENTRY.size + len(key))
        end = offset + 8 * size
        if end > len(self._map):
            self._map.close()
            self._map = self._grown(2 * end)
        _ENTRY.pack_into(self._map, self._used, len(key), size)
        start = self._used + _ENTRY.size
        self._map[start : start + len(key)] = key
        self._used = end
        # Last, so that a reader never sees an entry that is not complete.
        _HEADER.pack_into(self._map, 0, _MAGIC, end)
        place = self._places[name, labels] = (offset, [0.0] * size)
        return place

    def _grown(self, size: int) -> mmap.mmap:
        # Allocated now: a full disk must be an error here, and not end the process at a write.
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(self._descriptor, 0, size)
        else:
            os.ftruncate(self._descriptor, size)
        return mmap.mmap(self._descriptor, size)

    def close(self) -> None:
        """Let go of the file. Its values stay, and `read_all` adds them to the totals."""
        with suppress(OSError, ValueError):
            self._map.close()
        with suppress(OSError):
            os.close(self._descriptor)


class _State:
    """The writer of this process, which is opened by the first value."""

    writer: Writer | None = None
    is_off = False
    lock = threading.Lock()


def add(
    name: str, labels: tuple[str, ...], size: int, changes: Iterable[tuple[int, float]]
) -> None:
    """Add to values of a series. Never raises."""
    try:
        writer = _State.writer
        if writer is None and (_State.is_off or (writer := _open()) is None):
            return
        writer.change(name, labels, size, changes)
    except Exception as error:  # noqa: BLE001 - see the top of this module
        _give_up(error)


def put(name: str, labels: tuple[str, ...], value: float) -> None:
    """Replace the value of a series. Never raises."""
    try:
        writer = _State.writer
        if writer is None and (_State.is_off or (writer := _open()) is None):
            return
        writer.change(LEVEL + name, labels, 1, ((0, value),), replaces=True)
    except Exception as error:  # noqa: BLE001 - see the top of this module
        _give_up(error)


def _open() -> Writer | None:
    with _State.lock:
        if _State.is_off or not settings.METRICS:
            _State.is_off = True
            return None
        if _State.writer is None:
            where = folder()
            _State.writer = Writer(where)
            if len(list(where.glob(f"*{SUFFIX}"))) > MANY_FILES:
                read_all()
        return _State.writer


def _give_up(error: BaseException) -> None:
    if not _State.is_off:
        _State.is_off = True
        logger.warning("metrics_off reason=%s: %s", type(error).__name__, error)


@resets_process_state
def close() -> None:
    """Close the file of this process. The next value opens another one."""
    writer, _State.writer = _State.writer, None
    _State.is_off = False
    if writer is not None:
        writer.close()


def _after_fork() -> None:
    """Drop the parent's file. Its lock must not be held by a child that outlives it."""
    _State.lock = threading.Lock()
    close()


os.register_at_fork(after_in_child=_after_fork)


def role() -> str:
    """Return what this process is, in one word, from its command line."""
    path, first = Path(sys.argv[0]), (sys.argv[1:2] or [""])[0]
    program = path.name
    for word in ("daphne", "gunicorn"):
        if word in (program, path.parent.name):
            return word
    if program in ("manage.py", "ainews") or path.parent.name == "ainews_site":
        return {"qcluster": "worker"}.get(first, first) if first.isidentifier() else "command"
    return "other"


def read_all(where: Path | None = None) -> Everything:
    """Return the values of all processes of this machine.

    The files of processes that are gone are added to the totals, all at once: the totals name what
    they have, so a process that is killed here leaves nothing counted twice.
    """
    where = where or folder()
    where.mkdir(parents=True, exist_ok=True)
    with _locked(where / LOCK):
        totals, merged = _read_totals(where / TOTALS)
        everything, gone = Everything(), []
        for path in sorted(where.glob(f"*{SUFFIX}")):
            if path.name in merged:
                path.unlink(missing_ok=True)
            elif _is_running(path):
                everything.processes.append(_process_of(path))
                _add(everything.series, {k.removeprefix(LEVEL): v for k, v in _read(path).items()})
            else:
                gone.append(path)
        for path in gone:
            _add(totals, {key: v for key, v in _read(path).items() if not key.startswith(LEVEL)})
        if gone:
            _write_totals(where / TOTALS, totals, [path.name for path in gone])
            for path in gone:
                path.unlink(missing_ok=True)
    _add(everything.series, totals)
    return everything


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("ab") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield


def _is_running(path: Path) -> bool:
    """Return True if the process that wrote this file runs."""
    try:
        with path.open("rb") as opened:
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _process_of(path: Path) -> tuple[str, int]:
    name, pid, *_ = path.name.split(".")
    return name, int(pid) if pid.isdigit() else 0


def _read(path: Path) -> Series:
    """Return the values of a file. One that is damaged has those before the damage."""
    data = path.read_bytes()
    if len(data) < _HEADER.size:
        return {}
    magic, used = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        return {}
    series: Series = {}
    at = _HEADER.size
    while at + _ENTRY.size <= min(used, len(data)):
        length, size = _ENTRY.unpack_from(data, at)
        start, offset = at + _ENTRY.size, at + _padded(_ENTRY.size + length)
        at = offset + 8 * size
        if not length or at > len(data):
            break
        key = data[start : start + length].decode(errors="replace")
        series[key] = list(struct.unpack_from(f"={size}d", data, offset))
    return series


def _add(series: Series, more: Series) -> None:
    """Add values to those of the same series. Another release may have had other buckets."""
    for key, values in more.items():
        old = series.get(key)
        if old is None or len(old) != len(values):
            if old is not None or len(series) < MOST_SERIES:
                series[key] = values
        else:
            series[key] = [before + value for before, value in zip(old, values, strict=True)]


def _read_totals(path: Path) -> tuple[Series, frozenset[str]]:
    try:
        document = json.loads(path.read_bytes())
        return dict(document["series"]), frozenset(document["merged"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}, frozenset()


def _write_totals(path: Path, series: Series, merged: list[str]) -> None:
    new = path.with_suffix(".writing")
    new.write_text(json.dumps({"series": series, "merged": merged}))
    new.replace(path)


def _padded(length: int) -> int:
    return -(-length // 8) * 8
