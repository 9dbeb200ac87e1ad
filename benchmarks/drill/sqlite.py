"""Losses of an installation on one machine: its SQLite file, its SECRET_KEY, its archive."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx

from benchmarks.drill.report import Result
from benchmarks.drill.site import (
    PATIENCE,
    ROOT,
    commands_of,
    find_readers,
    judge,
    manage,
    set_environment,
    shell,
    timed,
)
from benchmarks.drill.tables import differences, of_sqlite
from benchmarks.drill.writers import Writers
from benchmarks.served import command_of
from tests.services import free_port, is_open

PASSWORD = "long-enough-for-the-drill"
WRITES_BEFORE = 6.0
OLD_MONTHS = "690"
"""Archived is what is older, in days: the first month of a library of two years."""
ITEMS = ("feeds_item", "feeds_itembody", "feeds_itemkey", "feeds_itemstate")
STOP_POLLING = """
from feeds.models import Source
Source.objects.update(status=Source.Status.GONE)
"""
"""The sources of a library have no feeds, and a queue full of polls would never be empty."""
QUEUE_ONE = """
from django_q.models import OrmQ
from django_q.tasks import async_task
async_task("feeds.tasks.poll_due")
print(*OrmQ.objects.order_by("pk").values_list("pk", flat=True))
"""
UNSAVE = f"""
from datetime import timedelta
from django.db.models import F
from django.utils import timezone
from feeds.archive.store import months_before
from feeds.models import ItemState
for low, high in months_before(timezone.now() - timedelta(days={OLD_MONTHS})):
    states = ItemState.objects.filter(item_id__gte=low, item_id__lt=high)
    states.alias(half=F("item_id") % 2).filter(half=0).delete()
"""
"""Saved items are not archived, and the readers of a small library have saved all."""
MAKE = f"""
import json
from django_q.tasks import async_task
from accounts.models import ApiToken, User
from digests.channels.links import FEED, token_for
from digests.models import Channel
user = User.objects.create_user("drilled", password={PASSWORD!r})
channel = Channel.objects.create(user=user, kind="feed")
async_task("feeds.tasks.poll_due")
print(json.dumps([ApiToken.issue(user, "drill"), token_for(channel, FEED)]))
"""
NEW_ADDRESS = """
from digests.channels.links import FEED, token_for
from digests.models import Channel
print(token_for(Channel.objects.get(user__username="drilled"), FEED))
"""


def available() -> bool:
    return _litestream().exists()


def _litestream() -> Path:
    return Path(sys.executable).parent / "litestream"


def use(data: Path, library: Path) -> Path:
    """Copy the database of a library to `data`, and let all processes use it. Returns its path."""
    data.mkdir()
    shutil.copy(library, data)
    set_environment(data, "")
    manage("migrate", "-v0")
    return data / library.name


class Web:
    """The web server of `serve`, on one port whenever it runs."""

    def __init__(self) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        replaced = {
            "/opt/ainews/app/.venv/bin/daphne": f"{sys.executable} -m daphne -v0",
            "--fd 3": f"-b 127.0.0.1 -p {self.port}",
        }
        command = command_of("ainews-live.service", replaced)
        self.process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
        until = time.monotonic() + PATIENCE
        while not is_open(self.port):
            assert self.process.poll() is None and time.monotonic() < until
            time.sleep(0.05)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @contextmanager
    def running(self) -> Iterator[None]:
        self.start()
        try:
            yield
        finally:
            self.kill()


def lost_file(library: Path, work: Path) -> Result:
    """The machine stops, and its file is lost; Litestream has copied each change elsewhere."""
    result = Result("SQLite lost: Litestream", 0)
    database = use(work / "sqlite", library)
    readers = find_readers()
    pks = [reader.pk for reader in readers]
    before = of_sqlite(database, pks)
    web = Web()
    replica = {"DATA": str(database.parent), "REPLICA": f"file://{work}/replica"}
    with ExitStack() as stack:
        stack.enter_context(web.running())
        litestream = _replicate(replica, work)
        stack.callback(litestream.kill)
        with timed(result.steps, "[first copy"):
            _wait_for_copy(work / "replica")
        log = work / "acknowledged-sqlite.jsonl"
        writers = stack.enter_context(Writers(web.address, readers, log))
        time.sleep(WRITES_BEFORE)
        lost_at = time.monotonic()
        litestream.kill()
        web.kill()
        for file in database.parent.glob(f"{database.name}*"):
            file.unlink()
        written = writers.before(gone_at := time.monotonic())
        with timed(result.steps, "restored"):
            _restore(replica, database)
        with timed(result.steps, "caches invalidated"):
            manage("invalidate_caches")
        web.start()
        result.rto = writers.first_after(gone_at) - lost_at
    saved = set(map(tuple, _saved(database, pks)))
    judge(result, written, saved, lost_at)
    with timed(result.steps, "[compared all tables"):
        result.problems += differences(before, of_sqlite(database, pks))
    return result


def _replicate(replica: dict[str, str], work: Path) -> "subprocess.Popen[bytes]":
    """Run ainews-litestream.service."""
    (command,) = commands_of("ainews-litestream.service", {})
    with (work / "litestream.log").open("ab") as log:
        return subprocess.Popen(
            [str(_litestream()), *command[1:]],
            cwd=ROOT,
            env=os.environ | replica,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _wait_for_copy(folder: Path) -> None:
    """Wait until the first copy of the whole database is complete."""
    until, size = time.monotonic() + 600, -1
    while time.monotonic() < until:
        files = [file for file in folder.rglob("*.ltx") if file.is_file()]
        now = sum(file.stat().st_size for file in files)
        if files and now == size:
            return
        size = now
        time.sleep(2)
    raise TimeoutError("Litestream copied nothing")


def _restore(replica: dict[str, str], database: Path) -> None:
    restored = database.with_name("restored.sqlite3")
    subprocess.run(
        [
            str(_litestream()),
            "restore",
            "-config",
            "deploy/litestream.yml",
            "-o",
            restored,
            database,
        ],
        cwd=ROOT,
        env=os.environ | replica,
        check=True,
        capture_output=True,
    )
    restored.rename(database)


def _saved(database: Path, pks: list[int]) -> list[tuple[int, int]]:
    import sqlite3

    given = ", ".join(map(str, pks))
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        return connection.execute(
            f"SELECT user_id, item_id FROM feeds_itemstate WHERE is_saved AND user_id IN ({given})"
        ).fetchall()


def lost_key(library: Path, work: Path) -> Result:
    """SECRET_KEY is lost: a new one is generated at the next start."""
    import json

    result = Result("SECRET_KEY lost: a new one is generated", 0)
    database = use(work / "key", library)
    shell(STOP_POLLING)
    token, feed = json.loads(shell(MAKE))
    web = Web()
    bearer = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=web.address, timeout=30) as browser:
        with web.running():
            _sign_in(browser)
            _expect(result, "the session works", browser.get("/preferences/").status_code == 200)
            _expect(result, "the feed works", _status(web, f"/digest/feed/{feed}.atom") == 200)
        lost_at = time.monotonic()
        (database.parent / "secret_key").unlink()
        with web.running():
            _expect(
                result, "readers are signed out", browser.get("/preferences/").status_code == 302
            )
            _sign_in(browser)
            _expect(result, "passwords work", browser.get("/preferences/").status_code == 200)
            result.rto = time.monotonic() - lost_at
            _expect(result, "API tokens work", _status(web, "/api/v1/items/", **bearer) == 200)
            _expect(
                result,
                "old feed addresses do not",
                _status(web, f"/digest/feed/{feed}.atom") == 404,
            )
            new = shell(NEW_ADDRESS).strip()
            _expect(
                result, "their new addresses do", _status(web, f"/digest/feed/{new}.atom") == 200
            )
        _expect(result, "the queue goes on", _works_off(database))
    return result


def _sign_in(browser: httpx.Client) -> None:
    browser.get("/signin/")
    form = {"username": "drilled", "password": PASSWORD}
    token = {"csrfmiddlewaretoken": browser.cookies["csrftoken"]}
    assert browser.post("/signin/", data=form | token).status_code == 302


def _status(web: Web, path: str, **headers: str) -> int:
    return httpx.get(f"{web.address}{path}", headers=headers, timeout=30).status_code


def _works_off(database: Path) -> bool:
    """Whether a worker discards the message that the old key signed, and runs the next one."""
    import sqlite3

    queued = shell(QUEUE_ONE).split()
    log = database.parent / "worker.log"
    worker = subprocess.Popen(
        [sys.executable, "manage.py", "worker"],
        cwd=ROOT,
        env=os.environ | {"LOG_LEVEL": "INFO"},
        stdout=subprocess.DEVNULL,
        stderr=log.open("wb"),
        start_new_session=True,
    )
    left = f"SELECT count(*) FROM django_q_ormq WHERE id IN ({', '.join(queued)})"
    try:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
                if not connection.execute(left).fetchone()[0]:
                    return len(queued) == 2 and '"func": "feeds.tasks.poll_due"' in log.read_text()
            time.sleep(0.5)
        return False
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(PATIENCE)


def _expect(result: Result, what: str, is_so: bool) -> None:
    if not is_so:
        result.problems.append(f"not so: {what}")


def lost_archive(library: Path, work: Path) -> Result:
    """The folder of the archive is lost, and there is a copy of it."""
    result = Result("archive folder lost: its copy", 0)
    database = use(work / "archive", library)
    shell(UNSAVE)
    before = of_sqlite(database, [0])
    folder, copy = database.parent / "archive", work / "copy-of-archive"
    with timed(result.steps, "[archived"):
        archived = manage("archive", "--older-than", OLD_MONTHS)
    names = [line.split(":")[0] for line in archived.splitlines() if " items in " in line]
    _expect(result, f"a month was archived ({archived.strip()})", bool(names))
    if not names:
        return result
    shutil.copytree(folder, copy)
    shutil.rmtree(folder)
    lost_at = time.monotonic()
    refusal = manage("restore_archive", *names, check=False)
    _expect(result, f"the loss is reported ({refusal.strip()})", "is not in" in refusal)
    doctor = manage("doctor", check=False)
    _expect(result, "doctor reports it", "archive" in doctor and "is not in" in doctor)
    with timed(result.steps, "copied back and restored"):
        shutil.copytree(copy, folder)
        manage("restore_archive", *names)
    result.rto = time.monotonic() - lost_at
    after = of_sqlite(database, [0])
    result.problems += differences(
        {name: before[name] for name in ITEMS}, {name: after[name] for name in ITEMS}
    )
    return result
