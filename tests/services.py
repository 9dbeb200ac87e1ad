"""Real servers for tests and benchmarks: PostgreSQL, Redis and PgBouncer, each on a free
port with its files in a folder that goes with it.

`python -m tests.services postgres -- COMMAND` runs a command with DATABASE_URL set.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import pytest

from tests.prepared import prepared, run_migrate, shared_folder

BINARIES = Path("/usr/lib/postgresql/15/bin")
FASTER = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""For tests that kill processes but never the machine."""
PATIENCE = 100.0
MIGRATED = "migrated"
"""A database of each PostgreSQL, with all tables and no rows of readers."""
TEMPLATE_VARIABLE = "AINEWS_TESTS_TEMPLATE"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _servant() -> str | None:
    """Whom a server runs as: PostgreSQL and PgBouncer refuse root."""
    return "postgres" if os.geteuid() == 0 else None


@contextmanager
def free_place(size: int) -> Iterator[tuple[Path, Callable[[int], None]]]:
    """A folder on a disk of so many bytes, and what makes it larger; skips who may not mount."""
    folder = Path(tempfile.mkdtemp(prefix="ainews-disk-"))
    command = ["mount", "-t", "tmpfs", "-o"]
    if subprocess.run([*command, f"size={size}", "tmpfs", folder], capture_output=True).returncode:
        folder.rmdir()
        pytest.skip("a small disk needs the right to mount one")

    def grow(size: int) -> None:
        subprocess.run([*command, f"remount,size={size}", "tmpfs", folder], check=True)

    try:
        yield folder, grow
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
        folder.rmdir()


class Server:
    """A process with a folder. `with` starts it and leaves nothing behind."""

    name = ""
    is_humble = True
    """Whether it refuses to be run by root."""

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"ainews-{self.name}-"))
        self.process: subprocess.Popen[bytes] | None = None
        if user := self._user():
            shutil.chown(self.folder, user)

    def _user(self) -> str | None:
        return _servant() if self.is_humble else None

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> Self:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                user=self._user(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait(lambda: is_open(self.port))
        return self

    def _wait(self, is_ready: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not is_ready():
            assert self.process is not None
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{self.name} did not start: {self.log()[-2000:]}")
            time.sleep(0.05)

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def stop(self, how: int = signal.SIGINT) -> None:
        """SIGINT is PostgreSQL's fast shutdown; the others end as well."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgres(Server):
    """PostgreSQL 15 with a superuser `ainews` (trusted on loopback) and a database of that
    name. `standby_of` makes it a streaming standby of another one."""

    name = "postgres"
    is_copied = True
    """Whether its files are copies of those that were prepared, which takes a tenth of the time."""

    def __init__(
        self, standby_of: "Postgres | None" = None, password: str = "", **options: str
    ) -> None:
        super().__init__()
        self.primary, self.password = standby_of, password
        self.is_copied = self.is_copied and not password
        self.options = FASTER | {"max_connections": "60", "shared_buffers": "128MB"} | options

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str = "ainews") -> str:
        secret = f":{self.password}" if self.password else ""
        return f"postgres://ainews{secret}@127.0.0.1:{self.port}/{database}"

    def tool(self, name: str, *arguments: str, check: bool = True) -> str:
        """Run one of PostgreSQL's programs; what it printed."""
        done = subprocess.run(
            [str(BINARIES / name), *arguments],
            user=_servant(),
            cwd=self.folder,
            env=os.environ | {"PGPASSWORD": self.password},
            capture_output=True,
            text=True,
        )
        if check and done.returncode:
            raise RuntimeError(f"{name}: {done.stderr}")
        return done.stdout

    def command(self) -> list[str]:
        settings = {"port": str(self.port), "listen_addresses": "127.0.0.1"} | self.options
        settings["unix_socket_directories"] = str(self.folder)
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(BINARIES / "postgres"), "-D", str(self.data), *flags]

    def start(self) -> Self:
        is_new = not self.data.exists()
        if is_new and self.primary:
            at = ("-h", "127.0.0.1", "-p", str(self.primary.port), "-U", "ainews")
            self.tool("pg_basebackup", *at, "-D", str(self.data), "-R", "-c", "fast")
        elif is_new and self.is_copied:
            cluster = prepared("postgres", _prepare_cluster)
            subprocess.run(["cp", "-a", str(cluster / "data"), str(self.data)], check=True)
        elif is_new:
            self._make_cluster()
        super().start()
        self._wait(lambda: self.tool("pg_isready", *self._at(), check=False).count("accepting") > 0)
        if is_new and not self.primary and not self.is_copied:
            self.tool("createdb", *self._at(), "-U", "ainews", "ainews")
        return self

    def _make_cluster(self) -> None:
        secret = self.folder / "secret"
        secret.write_text(f"{self.password or 'unused'}\n")
        if user := _servant():
            shutil.chown(secret, user)
        auth = "scram-sha-256" if self.password else "trust"
        self.tool(
            "initdb",
            *("-D", str(self.data), "-U", "ainews", "-A", auth, f"--pwfile={secret}"),
            *("-E", "UTF8", "--locale=C.UTF-8", "--no-sync"),
        )
        secret.unlink()

    def migrated(self, name: str = "ainews") -> str:
        """Make this database a new one with all tables. Returns its URL."""
        self.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", "postgres")
        self.sql(f"CREATE DATABASE {name} TEMPLATE {MIGRATED}", "postgres")
        return self.url(name)

    def _at(self) -> tuple[str, ...]:
        return ("-h", "127.0.0.1", "-p", str(self.port))

    def sql(self, statement: str, database: str = "ainews") -> str:
        """What psql prints of it, unaligned and without headings."""
        flags = ("-U", "ainews", "-d", database, "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1")
        return self.tool("psql", *self._at(), *flags, "-c", statement).strip()


class _FirstPostgres(Postgres):
    """The one that the others are copied from."""

    is_copied = False


def _prepare_cluster(folder: Path) -> None:
    with _FirstPostgres() as server:
        server.sql(f"CREATE DATABASE {MIGRATED}")
        run_migrate(folder, server.url(MIGRATED))
        server.stop()
        subprocess.run(["cp", "-a", str(server.data), str(folder)], check=True)


class Redis(Server):
    name = "redis"

    def __init__(self, **options: str) -> None:
        super().__init__()
        self.options = {"save": "", "appendonly": "no"} | options

    @property
    def url(self) -> str:
        secret = self.options.get("requirepass")
        scheme = "rediss" if "tls-cert-file" in self.options else "redis"
        return f"{scheme}://{f':{secret}@' if secret else ''}127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        port = "tls-port" if "tls-cert-file" in self.options else "port"
        settings = {"port": "0", port: str(self.port), "bind": "127.0.0.1", "dir": str(self.folder)}
        flags = [
            part
            for name, value in (settings | self.options).items()
            for part in (f"--{name}", value)
        ]
        return ["redis-server", *flags]


class PgBouncer(Server):
    """A pooler in transaction mode before `postgres`."""

    name = "pgbouncer"

    def __init__(self, postgres: Postgres) -> None:
        super().__init__()
        self.postgres = postgres

    def url(self, database: str = "ainews") -> str:
        return f"postgres://ainews@127.0.0.1:{self.port}/{database}"

    def command(self) -> list[str]:
        users, config = self.folder / "users.txt", self.folder / "pgbouncer.ini"
        users.write_text('"ainews" ""\n')
        config.write_text(
            "[databases]\n"
            f"* = host=127.0.0.1 port={self.postgres.port}\n"
            "[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = trust\nauth_file = {users}\n"
            "pool_mode = transaction\ndefault_pool_size = 5\nmax_client_conn = 200\n"
        )
        return [shutil.which("pgbouncer") or "/usr/sbin/pgbouncer", str(config)]


RABBITMQ = Path("/usr/lib/rabbitmq/bin")


class RabbitMQ(Server):
    """RabbitMQ, with an epmd of its own, which the next one on this machine doesn't share.

    `tls` names the files of a CA, a certificate and its key; then only TLS is served.
    """

    name = "rabbitmq"
    user, password, vhost = "reader", "se cret/1", "news"

    def __init__(self, tls: tuple[Path, Path, Path] | None = None) -> None:
        super().__init__()
        self.tls, self.epmd_port, self.node_port = tls, free_port(), free_port()
        self.epmd: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        scheme = "amqps" if self.tls else "amqp"
        secret = quote(self.password, safe="")
        return f"{scheme}://{self.user}:{secret}@127.0.0.1:{self.port}/{self.vhost}"

    def _environment(self) -> dict[str, str]:
        # A short cookie file and folders of its own; nothing of /etc/rabbitmq is read.
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self.node_port),
            "RABBITMQ_BASE": str(self.folder),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "none.config"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "none.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
        }

    def command(self) -> list[str]:
        lines = [
            f"default_user = {self.user}",
            f"default_pass = {self.password}",
            f"default_vhost = {self.vhost}",
            "loopback_users = none",
            "vm_memory_high_watermark.absolute = 512MB",
            "disk_free_limit.absolute = 10MB",
        ]
        if self.tls:
            authority, certificate, key = self.tls
            lines += [
                "listeners.tcp = none",
                f"listeners.ssl.1 = 127.0.0.1:{self.port}",
                f"ssl_options.cacertfile = {authority}",
                f"ssl_options.certfile = {certificate}",
                f"ssl_options.keyfile = {key}",
                "ssl_options.verify = verify_none",
            ]
        else:
            lines.append(f"listeners.tcp.1 = 127.0.0.1:{self.port}")
        (self.folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        (self.folder / "plugins").write_text("[].\n")
        variables = [f"{name}={value}" for name, value in self._environment().items()]
        return ["env", "-i", *variables, str(RABBITMQ / "rabbitmq-server")]

    def start(self) -> Self:
        command = ["epmd", "-address", "127.0.0.1", "-port", str(self.epmd_port)]
        self.epmd = subprocess.Popen(command, user=self._user(), cwd=self.folder)
        return super().start()

    def stop(self, how: int = signal.SIGTERM) -> None:
        super().stop(signal.SIGTERM)
        self._stop_epmd()

    def kill(self) -> None:
        super().kill()
        self._stop_epmd()

    def _stop_epmd(self) -> None:
        if self.epmd:
            self.epmd.kill()
            self.epmd.wait()


def is_root_or_alone() -> bool:
    """Whether servers can be started here: as root there must be somebody to run them as."""
    try:
        return _servant() is None or bool(pwd.getpwnam("postgres"))
    except KeyError:
        return False


def missing() -> list[str]:
    """Programs that the tests need and that are not installed."""
    wanted = {
        "postgresql-15": (BINARIES / "postgres").exists() and is_root_or_alone(),
        "redis-server": shutil.which("redis-server"),
        "pgbouncer": shutil.which("pgbouncer") or Path("/usr/sbin/pgbouncer").exists(),
    }
    return [name for name, there in wanted.items() if not there]


def main(arguments: Sequence[str]) -> int:
    names, command = arguments[: arguments.index("--")], arguments[arguments.index("--") + 1 :]
    shared_folder()
    environment = dict(os.environ)
    with ExitStack() as stack:
        if "postgres" in names:
            environment["DATABASE_URL"] = stack.enter_context(Postgres()).url()
            environment[TEMPLATE_VARIABLE] = MIGRATED
        if "redis" in names:
            environment["REDIS_URL"] = stack.enter_context(Redis()).url
        return subprocess.run(command, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
