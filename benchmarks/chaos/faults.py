"""What is done to the installation: each fault is a function that ends when it is over."""

import os
import random
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

from benchmarks.chaos.world import GO, KILL, ROOT, STOP, Program, World
from tests.services import Server

STOPPED = 3.0
"""Seconds for which a process is stopped, the disk is full, and packets are lost."""
LOSSES = {
    "netem": (
        ("tc qdisc add dev lo root netem loss 15% delay 5ms",),
        "tc qdisc del dev lo root netem",
    ),
    "nftables": (
        (
            "nft add table inet chaos",
            "nft add chain inet chaos arriving { type filter hook input priority 0 ; }",
            "nft add rule inet chaos arriving numgen random mod 100 < 15 drop",
        ),
        "nft delete table inet chaos",
    ),
}
"""{way to lose 15 packets of 100: (how it begins, how it ends)}."""
NAMESPACE = "AINEWS_CHAOS_NAMESPACE"
"""The variable with the network namespace that the program was started in."""


@dataclass(frozen=True)
class Fault:
    name: str
    cause: Callable[[World, random.Random], None]
    is_possible: Callable[[World], bool] = lambda world: True


def kill_any(find: Callable[[World], Program]) -> Callable[[World, random.Random], None]:
    """Kill one process of a program."""

    def cause(world: World, chance: random.Random) -> None:
        if found := find(world).tree():
            with suppress(psutil.NoSuchProcess):
                chance.choice(found).kill()

    return cause


def kill_child(find: Callable[[World], Program]) -> Callable[[World, random.Random], None]:
    def cause(world: World, chance: random.Random) -> None:
        if found := find(world).tree()[1:]:
            with suppress(psutil.NoSuchProcess):
                chance.choice(found).kill()

    return cause


def kill_all(find: Callable[[World], Program]) -> Callable[[World, random.Random], None]:
    """Kill a program with its forks, as if its machine had lost its power."""

    def cause(world: World, chance: random.Random) -> None:
        for process in find(world).tree():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    return cause


def kill_master(find: Callable[[World], Program]) -> Callable[[World, random.Random], None]:
    def cause(world: World, chance: random.Random) -> None:
        for process in find(world).tree()[:1]:
            process.kill()

    return cause


def stop_one(find: Callable[[World], Program]) -> Callable[[World, random.Random], None]:
    def cause(world: World, chance: random.Random) -> None:
        found = find(world).tree()
        _stop([chance.choice(found)] if found else [])

    return cause


def kill_server(find: Callable[[World], Server]) -> Callable[[World, random.Random], None]:
    def cause(world: World, chance: random.Random) -> None:
        process = find(world).process
        if process and process.poll() is None:
            os.kill(process.pid, KILL)

    return cause


def stop_server(find: Callable[[World], Server]) -> Callable[[World, random.Random], None]:
    """Stop it with its children, so that connections stay open and nothing answers."""

    def cause(world: World, chance: random.Random) -> None:
        process = find(world).process
        if process and process.poll() is None:
            own = psutil.Process(process.pid)
            _stop([own, *own.children(recursive=True)])

    return cause


def _stop(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(STOP)
    time.sleep(STOPPED)
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(GO)


def restart_postgres(world: World, chance: random.Random) -> None:
    """As an administrator does; the supervisor starts it."""
    world.primary.stop()


def fill_disk(world: World, chance: random.Random) -> None:
    assert world.disk
    filler = world.disk / "filler"
    try:
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"\0" * 2**20)
        time.sleep(STOPPED)
    finally:
        filler.unlink(missing_ok=True)


def move_clock(world: World, chance: random.Random) -> None:
    """A worker comes back with a clock that is an hour off."""
    worker = chance.choice(world.workers[:2])
    off = chance.choice((-3600, 3600))
    worker.environment |= {"CLOCK_OFF": str(off), "PYTHONPATH": str(ROOT / "tests" / "off_clock")}
    kill_all(lambda _: worker)(world, chance)


def lose_packets(world: World, chance: random.Random) -> None:
    """On the loopback of our own network namespace."""
    begin, end = LOSSES[_way_to_lose()]
    try:
        for command in begin:
            subprocess.run(command.split(), check=True, capture_output=True)
        time.sleep(STOPPED)
    finally:
        subprocess.run(end.split(), capture_output=True)


def network() -> str:
    """Return the name of the network namespace of this process."""
    return str(Path("/proc/self/ns/net").readlink())


def may_lose_packets(world: World) -> bool:
    """Only in a namespace of our own, which `__main__` creates; others use the real loopback."""
    return os.environ.get(NAMESPACE, network()) != network() and bool(_way_to_lose())


@cache
def _way_to_lose() -> str:
    """Return what this kernel can do: it may lack netem."""
    for name, (begin, end) in LOSSES.items():
        try:
            for command in begin:
                subprocess.run(command.split(), check=True, capture_output=True)
            return name
        except (OSError, subprocess.CalledProcessError):
            continue
        finally:
            subprocess.run(end.split(), capture_output=True, check=False)
    return ""


FAULTS = (
    Fault("a process of a worker killed", kill_child(lambda world: world.workers[0])),
    Fault("a worker killed", kill_all(lambda world: world.workers[1])),
    Fault("a worker's process stopped", stop_one(lambda world: world.workers[0])),
    Fault("a process of the slow worker killed", kill_any(lambda world: world.workers[2])),
    Fault("a process of gunicorn killed", kill_child(lambda world: world.gunicorn)),
    Fault("a process of gunicorn stopped", stop_one(lambda world: world.gunicorn)),
    Fault("gunicorn's master killed", kill_master(lambda world: world.gunicorn)),
    Fault("daphne killed", kill_all(lambda world: world.daphne)),
    Fault("daphne stopped", stop_one(lambda world: world.daphne)),
    Fault("Redis killed", kill_server(lambda world: world.redis)),
    Fault("Redis stopped", stop_server(lambda world: world.redis)),
    Fault("standby killed", kill_server(lambda world: world.standby)),
    Fault("standby stopped", stop_server(lambda world: world.standby)),
    Fault("PostgreSQL restarted", restart_postgres),
    Fault("PostgreSQL killed", kill_server(lambda world: world.primary)),
    Fault("PostgreSQL stopped", stop_server(lambda world: world.primary)),
    Fault("PgBouncer killed", kill_server(lambda world: world.pooler)),
    Fault("PgBouncer stopped", stop_server(lambda world: world.pooler)),
    Fault("disk full", fill_disk, lambda world: world.disk is not None),
    Fault("a worker's clock moved", move_clock),
    Fault("packets lost", lose_packets, may_lose_packets),
)
