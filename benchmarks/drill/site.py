"""What the parts of a drill share: settings, the readers of the library, units of deploy/."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.drill.report import Result
from benchmarks.drill.writers import Acknowledged, Reader

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
READERS, ITEMS_OF_A_READER = 8, 20_000
PATIENCE = 60.0
FIND_READERS = f"""
import json
from accounts.models import ApiToken, User
from feeds.models import Item, ItemState
readers = []
for user in User.objects.filter(is_active=True).order_by("pk")[:{READERS}]:
    seen = Item.objects.subscribed_by(user).newest_first()
    known = set(ItemState.objects.filter(user=user).values_list("item", flat=True))
    ids = seen.values_list("pk", flat=True)[:{ITEMS_OF_A_READER}]
    readers.append([user.pk, ApiToken.issue(user, "drill"), [i for i in ids if i not in known]])
print(json.dumps(readers))
"""


def set_environment(data: Path, database: str, **more: str) -> None:
    """Let every process that the drill starts from now on use this database."""
    os.environ.update(
        {
            "DATA": str(data),
            "DATABASE_URL": database,
            "DATABASE_REPLICA_URLS": "",
            "REDIS_URL": "",
            "QUEUE_URL": "",
            "SECRET_KEY": "",
            "ARCHIVE_DIR": "",
            "SITE_URL": "http://127.0.0.1",
            "DJANGO_SETTINGS_MODULE": "ainews_site.settings",
            "LOG_LEVEL": "ERROR",
            **more,
        }
    )


def manage(*arguments: str, check: bool = True) -> str:
    """Run a command. Return what it printed."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, capture_output=True, text=True
    )
    if check and done.returncode:
        raise RuntimeError(f"{arguments[0]}: {done.stderr[-2000:]}")
    return done.stdout + ("" if check else done.stderr)


def shell(code: str) -> str:
    return manage("shell", "-v", "0", "-c", code)


def find_readers() -> list[Reader]:
    return [Reader(*found) for found in json.loads(shell(FIND_READERS))]


def servant() -> str | None:
    """Whom PostgreSQL's programs run as: they refuse root."""
    return "postgres" if os.geteuid() == 0 else None


def own_folder(path: Path) -> Path:
    """Create a folder that PostgreSQL may write to."""
    path.mkdir(parents=True)
    if user := servant():
        shutil.chown(path, user)
    return path


def commands_of(unit: str, environment: dict[str, str]) -> list[list[str]]:
    """The commands of a unit of deploy/ in their order, with its variables replaced."""
    text = (DEPLOY / unit).read_text()
    lines = re.findall(r"^ExecStart(?:Pre)?=(.+)$", text, re.MULTILINE)
    for name, value in environment.items():
        lines = [line.replace(f"${{{name}}}", value) for line in lines]
    return [shlex.split(line) for line in lines]


def run_script(name: str, environment: dict[str, str], *arguments: str) -> str:
    """Run a script of deploy/ as the user of PostgreSQL. Return what it printed."""
    done = subprocess.run(
        ["/bin/sh", str(DEPLOY / name), *arguments],
        env=os.environ | environment,
        user=servant(),
        cwd="/",
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr}")
    return done.stdout


@contextmanager
def receiving_log(environment: dict[str, str]) -> Iterator[None]:
    """Run ainews-wal.service."""
    *before, last = commands_of("ainews-wal.service", environment)
    place = os.environ | environment
    for command in before:
        subprocess.run(command, env=place, user=servant(), cwd="/", check=True)
    with Path(f"{environment['BACKUP']}-log").open("ab") as log:
        process = subprocess.Popen(
            last, env=place, user=servant(), cwd="/", stderr=log, start_new_session=True
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


def judge(
    result: Result, written: Sequence[Acknowledged], saved: set[tuple[int, int]], lost_at: float
) -> None:
    """Add to `result` which acknowledged writes are missing in the restored database."""
    missing = [write for write in written if (write.user, write.item) not in saved]
    result.acknowledged, result.lost = len(written), len(missing)
    result.rpo = max([0.0, *(lost_at - write.at for write in missing)])


class Pages:
    """Asks for a page all the time, and counts the answers."""

    def __init__(self, address: str, token: str) -> None:
        self.address, self.headers = address, {"Authorization": f"Bearer {token}"}
        self.good = self.failed = 0

    def __enter__(self) -> "Pages":
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _ask(self) -> None:
        with httpx.Client(base_url=self.address, headers=self.headers, timeout=20) as client:
            while not self._ends.wait(0.2):
                try:
                    is_good = client.get("/api/v1/items/?limit=5").status_code == 200
                except httpx.HTTPError:
                    is_good = False
                self.good += is_good
                self.failed += not is_good

    def __str__(self) -> str:
        return f"meanwhile {self.good} of {self.good + self.failed} pages were answered"


@contextmanager
def timed(steps: dict[str, float], name: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    steps[name] = time.monotonic() - started
