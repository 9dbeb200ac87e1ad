"""Disturb a whole installation under load, and check that nothing was lost.

    python -m benchmarks.chaos [--seconds 180] [--seed 1] [--only NAME]

Starts what `deploy/` describes: Nginx, gunicorn, daphne, three workers, PostgreSQL with a standby
behind PgBouncer, and Redis. Readers read, search, save and mark, each with an open socket, while 36
feeds publish. Meanwhile processes are killed and stopped, the disk is filled, a clock is moved, and
packets are lost, in an order that the seed decides. What ended is started again after a second, as
by systemd. As root, all of it runs in network and mount namespaces of its own.

Prints for each fault what clients got, and how many seconds after it was over and all servers
listened all sockets were open again.
Fails if an item was lost or doubled, an acknowledged write was lost, a lease, a task or a schedule
is left or lost, a count or a story is wrong, a page does not answer, or a socket took more than ten
seconds.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.chaos import invariants  # noqa: E402
from benchmarks.chaos.faults import FAULTS, NAMESPACE, Fault, network  # noqa: E402
from benchmarks.chaos.readers import NO_FAULT, Reader, Readers  # noqa: E402
from benchmarks.chaos.world import World, wait_until, work_folder  # noqa: E402
from tests.services import missing  # noqa: E402
from tests.workers import Outlets, publishing  # noqa: E402

READERS = 8
HOSTS, FEEDS, ENTRIES = 9, 4, 4
SOCKETS_BACK = 10.0
STARTS_WITHIN = 60.0
"""Seconds for which a killed program may start, which are not the sockets' fault."""
CALM = (0.5, 2.0)
"""Least and longest pause between two faults, in seconds."""
WORK_OFF = 120.0
GOOD = {"200", "429", "503"}
"""Statuses that clients are prepared for: the last two say when to try again."""


@dataclass
class Outcome:
    name: str
    sockets_back: float


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.chaos",
        description=__doc__.splitlines()[0] if __doc__ else "",
    )
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--only", action="append", default=[], help="faults with this in their name"
    )
    asked = parser.parse_args()
    if gone := [*missing(), *([] if shutil.which("nginx", path=_path()) else ["nginx"])]:
        print(f"Not installed: {', '.join(gone)}.")
        return 2
    if NAMESPACE not in os.environ and _may_have_namespace():
        command = ["unshare", "--net", "--mount", sys.executable, "-m", "benchmarks.chaos"]
        environment = os.environ | {NAMESPACE: network()}
        return subprocess.run([*command, *sys.argv[1:]], cwd=ROOT, env=environment).returncode
    if NAMESPACE in os.environ:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return disturb(asked.seconds, asked.seed, asked.only)


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin"


def _may_have_namespace() -> bool:
    if not all(shutil.which(name, path=_path()) for name in ("unshare", "ip", "tc")):
        return False
    return not subprocess.run(
        ["unshare", "--net", "--mount", "true"], capture_output=True
    ).returncode


def disturb(seconds: float, seed: int, only: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # which ends what was started
    chance = random.Random(seed)
    work = work_folder()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, work, ignore_errors=True)
        world = World(work, stack)
        world.start_servers()
        readers = _prepare(stack, world)
        outlets = stack.enter_context(publishing(HOSTS, FEEDS, ENTRIES, seed))
        _follow(readers, outlets)
        world.start_programs()
        schedules = _schedules()
        load = Readers(world.nginx.port, readers, seed)
        with load, _Publisher(outlets) as publisher:
            assert wait_until(load.are_connected, 60), "the sockets did not connect"
            outcomes = _cause_faults(world, load, chance, seconds, only)
            publisher.stop()
            problems = _settle(world, outlets)
        problems += _check(world, outlets, readers, schedules)
        _show(load, outcomes, outlets, readers, world)
        problems += [
            f"{outcome.name}: sockets were back after {outcome.sockets_back:.1f} s"
            for outcome in outcomes
            if outcome.sockets_back > SOCKETS_BACK
        ]
        world.supervisor.end()
        problems += _end_programs(world)
    print(
        "\n".join(problems) if problems else "Nothing was lost or doubled, and all is consistent."
    )
    return 1 if problems else 0


def _prepare(stack: ExitStack, world: World) -> list[Reader]:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connections
    from django.test import Client

    from accounts.models import ApiToken, User

    call_command("migrate", verbosity=0)
    readers = []
    for number in range(READERS):
        user = User.objects.create_user(f"reader{number}")
        client = Client()
        client.force_login(user)
        session = client.cookies["sessionid"].value
        readers.append(Reader(user.pk, session, ApiToken.issue(user, "chaos")))
    connections.close_all()
    return readers


def _follow(readers: list[Reader], outlets: Outlets) -> None:
    from feeds.models import Source, Subscription

    for url in outlets.urls:
        source = Source.objects.create(url=url, is_public=True)
        Subscription.objects.bulk_create(
            Subscription(user_id=reader.pk, source=source) for reader in readers
        )


def _schedules() -> Counter[str]:
    from ainews_site.queue.schedules import ensure_schedules

    ensure_schedules()
    from django_q.models import Schedule

    return Counter(Schedule.objects.values_list("name", flat=True))


class _Publisher:
    """Publishes entries, and makes all sources due, as their schedules would within the hour."""

    def __init__(self, outlets: Outlets) -> None:
        self.outlets = outlets
        self._ends, self._thread = threading.Event(), threading.Thread(target=self._run)

    def __enter__(self) -> "_Publisher":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._ends.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ends.wait(0.5):
            with self.outlets.lock:
                for _ in range(3):
                    self.outlets.publish_some()
            _poll()


def _poll() -> int:
    """Make all sources due and queue a poll. Returns the number of items, or -1 on an error."""
    from django.db import Error, connections
    from django.utils import timezone
    from django_q.tasks import async_task

    from feeds.models import Item, Source

    try:
        Source.objects.all().change(next_poll_at=timezone.now())
        async_task("feeds.tasks.poll_due")
        return Item.objects.count()
    except Error:
        connections.close_all()
        return -1


def _cause_faults(
    world: World, load: Readers, chance: random.Random, seconds: float, only: list[str]
) -> list[Outcome]:
    chosen = [f for f in FAULTS if not only or any(word in f.name for word in only)]
    possible = [fault for fault in chosen if fault.is_possible(world)]
    for fault in set(chosen) - set(possible):
        print(f"Not possible here: {fault.name}.")
    outcomes: list[Outcome] = []
    until, waiting = time.monotonic() + seconds, list[Fault]()
    while time.monotonic() < until:
        if not waiting:
            waiting = chance.sample(possible, len(possible))
        fault = waiting.pop()
        load.fault = fault.name
        fault.cause(world, chance)
        time.sleep(1.5)  # until clients and the supervisor have noticed
        wait_until(world.is_up, STARTS_WITHIN)
        up = time.monotonic()
        wait_until(load.are_connected, 3 * SOCKETS_BACK)
        outcomes.append(Outcome(fault.name, time.monotonic() - up))
        time.sleep(chance.uniform(*CALM))
    load.fault = NO_FAULT
    return outcomes


def _settle(world: World, outlets: Outlets) -> list[str]:
    """Wait until all that was published is stored and grouped, and the queue is empty."""
    from django.db import Error, connections

    from feeds.models import Item

    def is_done() -> bool:
        time.sleep(0.5)
        with suppress(Error):
            return _poll() == outlets.total and not Item.objects.filter(story=None).exists()
        connections.close_all()
        return False

    if wait_until(is_done, WORK_OFF):
        return _work_off_queue()
    return [f"{_poll()} of {outlets.total} items came in within {WORK_OFF:.0f} s"]


def _work_off_queue() -> list[str]:
    """Messages that were lost with their workers are delivered again, later; make it now."""
    from datetime import timedelta

    from django.utils import timezone
    from django_q.models import OrmQ

    def is_empty() -> bool:
        OrmQ.objects.filter(lock__gt=timezone.now()).count()
        return not OrmQ.objects.exists()

    if wait_until(is_empty, 15):
        return []
    OrmQ.objects.update(lock=timezone.now() - timedelta(days=1))
    if wait_until(is_empty, WORK_OFF):
        return []
    return [f"{OrmQ.objects.count()} messages stay in the queue"]


def _check(
    world: World, outlets: Outlets, readers: list[Reader], schedules: Counter[str]
) -> list[str]:
    wait_until(lambda: not invariants.no_lease_is_left(), 15)
    port = world.nginx.port
    wait_until(lambda: not invariants.pages_answer(port, readers[0].session), 30)
    checks: list[Any] = [
        invariants.items_are_those_served(outlets),
        invariants.acknowledged_writes_are_there(readers),
        invariants.no_lease_is_left(),
        invariants.stories_are_consistent(),
        invariants.counts_are_those_recomputed(readers, port),
        invariants.schedules_are_there(schedules),
        invariants.pages_answer(port, readers[0].session),
    ]
    return [problem for problems in checks for problem in problems]


def _end_programs(world: World) -> list[str]:
    return [f"{part.name} did not end by itself" for part in world.programs if not part.end()]


def _show(
    load: Readers,
    outcomes: list[Outcome],
    outlets: Outlets,
    readers: list[Reader],
    world: World,
) -> None:
    print(
        f"{'':38} {'times':>5} {'200':>6} {'503':>5} {'429':>5} {'errors':>7} {'slowest':>8}"
        f" {'sockets back':>13}"
    )
    times = Counter(outcome.name for outcome in outcomes)
    for name, answers in load.answers.items():
        errors = {status: n for status, n in answers.items() if status not in GOOD}
        back = max((o.sockets_back for o in outcomes if o.name == name), default=0.0)
        print(
            f"{name:38} {times[name]:5} {answers['200']:6} {answers['503']:5} {answers['429']:5}"
            f" {sum(errors.values()):7} {load.slowest[name]:7.1f}s {back:12.1f}s  {errors or ''}"
        )
    saved = sum(len(reader.saved) for reader in readers)
    print(world.last_errors())
    print(
        f"{outlets.total} items of {len(outlets.urls)} feeds, {saved} acknowledged marks,"
        f" {sum(world.supervisor.restarts.values())} restarts"
    )


if __name__ == "__main__":
    sys.exit(main())
