"""Starts the web server before Django's apps are loaded, which halves the time of a second start.

This is possible only if nothing must be prepared first: the file DATA/ready must hold the
fingerprint of the present migrations, which means that the database has been migrated.
"""

import atexit
import errno
import hashlib
import os
import secrets
import socket
import subprocess
import sys
from pathlib import Path

import django

from ainews_site.infra.places import BASE
from ainews_site.process.lifeline import for_child

MAX_MESSAGE_BYTES = 4096
"""Maximum size of a message that a client sends over a WebSocket, in bytes."""
RUN = secrets.token_hex(8)
"""Our web server sends this at /health, so that no other server is mistaken for it."""
NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
MALLOC = {"MALLOC_ARENA_MAX": "2"}
"""Lets glibc use two heaps in a child. By default it makes up to eight per CPU, one for each of the
threads that answer requests, and memory that one has freed is of no use to the others."""
started: "subprocess.Popen[bytes] | None" = None
"""The web server that `start_web` started, until the supervisor adopts it."""


def start_web() -> None:
    """Start the web server if possible. If it is not, the ordinary start reports why."""
    global started
    from django.conf import settings

    ready = settings.DATA / "ready"
    if not ready.exists() or ready.read_text() != fingerprint():
        return
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3") and not Path(database["NAME"]).exists():
        return
    if 0 < settings.PORT < 65536 and not port_problem(settings.HOST, settings.PORT):
        command = web_command(settings.HOST, settings.PORT)
        started = spawn(command, stderr=subprocess.PIPE)
        atexit.register(started.kill)


def mark_ready(data: Path) -> None:
    """Record that the database in `data` has all migrations of this program."""
    (data / "ready").write_text(fingerprint())


def fingerprint(base: Path = BASE) -> str:
    """Return a hash of all migrations, and of the requirements, whose packages have some too.

    In a package, `base` has the migrations of django-q2 as well, and Django's version stands for
    those of Django.
    """
    digest = hashlib.blake2b(django.__version__.encode(), digest_size=16)
    for file in sorted([*base.glob("*/migrations/*.py"), *base.glob("requirements/base.txt")]):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def web_command(host: str, port: int) -> list[str]:
    options = ["-b", host, "-p", str(port), "-v", "0"]
    options += ["--websocket-max-message-size", str(MAX_MESSAGE_BYTES)]
    return [sys.executable, "-m", "daphne", *options, "ainews_site.asgi:application"]


def spawn(
    command: list[str],
    environment: dict[str, str] | None = None,
    stderr: int | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a child process that ends when this process ends.

    It leads a process group, so that it can be killed together with its forks. Its logs have our
    format, because it may write them into a pipe that we copy to a terminal.
    """
    from django.conf import settings

    return subprocess.Popen(  # noqa: S603 - our own commands
        command,
        cwd=BASE,
        env=MALLOC
        | os.environ
        | {"AINEWS_RUN": RUN, "LOG_FORMAT": settings.LOG_FORMAT}
        | for_child()
        | (environment or {}),
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stderr=stderr,
    )


def port_problem(host: str, port: int) -> str:
    """Return a sentence that says why no server can listen there, or "" if one can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except PermissionError:
        return f"Port {port} requires root; choose one above 1023, such as PORT=8000."
    except OverflowError:
        return f"PORT must be 1 to 65535, not {port}."
    except OSError as error:
        return _listen_problem(host, port, error)
    return ""


def _listen_problem(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is used by another program; choose another, such as PORT={port + 1}."
    if ":" in host and error.errno in NO_IPV6:
        other = "0.0.0.0" if host == "::" else "127.0.0.1"  # noqa: S104 - as the operator chose
        return f"This machine has no IPv6 address {host}. Set HOST={other}, or enable IPv6."
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return (
            f"HOST={host} is not an address of this machine. Set HOST=127.0.0.1, or HOST=0.0.0.0"
            " for all its networks."
        )
    return f"Cannot listen on {host}:{port}: {error.strerror or error}."
