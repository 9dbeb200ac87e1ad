"""The installation that chaos disturbs: what `deploy/` describes, restarted as systemd does it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

from benchmarks.load import DistributedNginx
from benchmarks.scale import SAFE, PersistentPostgres
from benchmarks.served import command_of
from tests.ainews_site.test_nginx import PLAIN_SITE
from tests.services import PgBouncer, Redis, Server, free_port, is_open

ROOT = Path(__file__).resolve().parents[2]
RESTART_AFTER = 1.0
DISK = 800 * 2**20
"""Bytes of the disk of PostgreSQL, where this process may mount one."""
LEASE = 6
MARK = "AINEWS_CHAOS_PROGRAM"
"""The variable by which the processes of a program are found."""
SETTINGS = SAFE | {
    "wal_level": "replica",
    "max_wal_senders": "5",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "max_wal_size": "128MB",
    "hot_standby_feedback": "on",
}


class Program:
    """A process of ours, with all its forks."""

    def __init__(self, name: str, command: list[str], data: Path, port: int = 0) -> None:
        self.name, self.command, self.data, self.port = name, command, data, port
        self.environment: dict[str, str] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self._mark = f"{os.getpid()} {name}"

    def start(self) -> None:
        self._kill_rest()
        self.data.mkdir(exist_ok=True)
        with (self.data / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=os.environ | {"DATA": str(self.data), MARK: self._mark} | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _kill_rest(self) -> None:
        """Kill what a lost process left behind, as systemd does with a unit's control group."""
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get(MARK) == self._mark:
                    process.kill()

    def tree(self) -> list[psutil.Process]:
        """The process and its descendants, which is first."""
        if self.process is None or self.process.poll() is not None:
            return []
        with suppress(psutil.NoSuchProcess):
            own = psutil.Process(self.process.pid)
            return [own, *own.children(recursive=True)]
        return []

    def wait_for_port(self, seconds: float = 90) -> None:
        until = time.monotonic() + seconds
        while not is_open(self.port):
            assert time.monotonic() < until, f"{self.name} did not start"
            time.sleep(0.1)

    def end(self, seconds: float = 60) -> bool:
        """Ask it to stop. Returns whether it did so by itself."""
        found = self.tree()
        if not found:
            self._kill_rest()
            return True
        assert self.process is not None
        self.process.terminate()
        try:
            self.process.wait(seconds)
            self._kill_rest()
            return True
        except subprocess.TimeoutExpired:
            for process in found:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            self.process.wait()
            return False


class Standby(PersistentPostgres):
    def __init__(self, folder: Path, primary: PersistentPostgres) -> None:
        super().__init__(folder, **SETTINGS)
        self.primary = primary


class Supervisor:
    """Starts whatever ended again after a second, like `Restart=always`, `RestartSec=1`."""

    def __init__(self) -> None:
        self.parts: dict[str, Program | Server] = {}
        self.restarts: dict[str, int] = {}
        self.paused: set[str] = set()
        self._busy: set[str] = set()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ends.set()
        if self._thread.is_alive():
            self._thread.join()
        until = time.monotonic() + 60
        while self._busy and time.monotonic() < until:
            time.sleep(0.1)

    def _watch(self) -> None:
        while not self._ends.wait(0.1):
            for name, part in self.parts.items():
                process = part.process
                is_over = process is not None and process.poll() is not None
                if is_over and name not in self._busy | self.paused:
                    self._busy.add(name)
                    threading.Thread(target=self._restart, args=(name, part), daemon=True).start()

    def _restart(self, name: str, part: "Program | Server") -> None:
        try:
            time.sleep(RESTART_AFTER)
            if not self._ends.is_set():
                part.start()
                self.restarts[name] = self.restarts.get(name, 0) + 1
        except (RuntimeError, AssertionError, OSError):
            pass  # it ended again, and is started again
        finally:
            self._busy.discard(name)


class World:
    """All servers. `use` makes them the ones of this process's environment."""

    def __init__(self, work: Path, stack: ExitStack) -> None:
        self.work, self.stack, self.supervisor = work, stack, Supervisor()
        self.disk: Path | None = None
        self.primary = PersistentPostgres(self._folder_of_primary(), **SETTINGS)
        self.standby = Standby(self._folder("standby"), self.primary)
        self.redis, self.pooler = Redis(), PgBouncer(self.primary)
        self.nginx = DistributedNginx(PLAIN_SITE)
        web = work / "web"
        gunicorn, daphne = free_port(), free_port()
        self.gunicorn = Program("gunicorn", gunicorn_command(gunicorn), web, gunicorn)
        self.daphne = Program("daphne", daphne_command(daphne), web, daphne)
        self.workers = [
            Program(f"worker{n}", worker_command(queue), work / f"worker{n}")
            for n, queue in enumerate(("fast", "fast", "slow"))
        ]

    def _folder(self, name: str) -> Path:
        folder = self.work / name
        folder.mkdir()
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        return folder

    def _folder_of_primary(self) -> Path:
        """On a small disk of its own, where this process may mount one."""
        folder = self._folder("primary")
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True).returncode == 0:
            self.stack.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=False)
            shutil.chown(folder, "postgres")
            self.disk = folder
        return folder

    def start_servers(self) -> None:
        for server in (self.primary, self.standby, self.redis, self.pooler):
            self.stack.enter_context(server)
        os.environ.update(
            DATA=str(self.work / "own"),
            DATABASE_URL=self.primary.url(),
            DATABASE_REPLICA_URLS="",
            REDIS_URL=self.redis.url,
            QUEUE_URL="",
            SECRET_KEY="the same on every machine, for the messages",
            DJANGO_SETTINGS_MODULE="ainews_site.settings",
            FETCH_ALLOW_PRIVATE="127.0.0.1",
            FETCH_HOST_PAUSE="0",
            LEASE_SECONDS=str(LEASE),
            POLL_BATCH="4",
            LOG_LEVEL="WARNING",
            TRUSTED_PROXIES="127.0.0.1",
            WEB_PROCESSES="2",
        )

    def start_programs(self) -> None:
        """After the tables exist. They reach PostgreSQL by PgBouncer."""
        own = {"DATABASE_URL": self.pooler.url(), "DATABASE_REPLICA_URLS": self.standby.url()}
        for program in self.programs:
            program.environment = dict(own)
            program.start()
            self.stack.callback(program.end, 20)
        self.gunicorn.wait_for_port()
        self.daphne.wait_for_port()
        self.nginx.pages, self.nginx.live = self.gunicorn.port, self.daphne.port
        self.stack.enter_context(self.nginx)
        for server in (self.primary, self.standby, self.redis, self.pooler):
            self.supervisor.parts[server.name if server is not self.standby else "standby"] = server
        for program in self.programs:
            self.supervisor.parts[program.name] = program
        self.supervisor.begin()
        self.stack.callback(self.supervisor.end)  # first of all, or it would start them again

    def is_up(self) -> bool:
        """Return True if all servers listen."""
        ports = [part.port for part in self.supervisor.parts.values() if part.port]
        return all(map(is_open, ports))

    def last_errors(self) -> str:
        """Return the last lines of the tracebacks that the web servers wrote, and how often."""
        errors: Counter[str] = Counter()
        for program in (self.gunicorn, self.daphne):
            log = program.data / f"{program.name}.log"
            is_inside = False
            for line in log.read_text(errors="replace").splitlines():
                if line.startswith("Traceback"):
                    is_inside = True
                elif is_inside and line and not line.startswith(" "):
                    errors[f"{program.name}: {line[:160]}"] += 1
                    is_inside = False
        return "\n".join(f"{count:5} {error}" for error, count in errors.most_common(12))

    @property
    def programs(self) -> list[Program]:
        return [self.gunicorn, self.daphne, *self.workers]


def gunicorn_command(port: int) -> list[str]:
    replaced = {
        ".venv/bin/gunicorn": f"{sys.executable} -m gunicorn --log-level error",
        "127.0.0.1:8000": f"127.0.0.1:{port}",
    }
    return command_of("ainews-pages.service", replaced)


def daphne_command(port: int) -> list[str]:
    replaced = {
        "/opt/ainews/app/.venv/bin/daphne": f"{sys.executable} -m daphne -v0",
        "--fd 3": f"-b 127.0.0.1 -p {port}",
    }
    return command_of("ainews-live.service", replaced)


def worker_command(queue: str) -> list[str]:
    replaced = {"/opt/ainews/app/.venv/bin/python": sys.executable, "%i": queue}
    return command_of("ainews-worker@.service", replaced)


def wait_until(is_so: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def work_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="ainews-chaos-"))
    folder.chmod(0o755)  # PostgreSQL runs as another user
    return folder


STOP, GO, KILL = signal.SIGSTOP, signal.SIGCONT, signal.SIGKILL
