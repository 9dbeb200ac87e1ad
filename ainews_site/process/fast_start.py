"""Starts the web server before Django is loaded, so that a second start takes half as long.

Only where nothing must be prepared first: the database has been migrated by exactly the
migrations that are there now, as the file DATA/ready says.
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

from ainews_site.process.lifeline import for_child

LONGEST_MESSAGE = 4096
"""Bytes that a client may send over a socket at once; daphne reads no more than that."""
RUN = secrets.token_hex(8)
"""What our own web server says at /health, so that another one's answer is not taken for it."""
started: "subprocess.Popen[bytes] | None" = None


def start_web() -> None:
    """Start it if it can be; whatever is in the way is for the ordinary start to say."""
    global started
    from django.conf import settings

    ready = settings.DATA / "ready"
    if not ready.exists() or ready.read_text() != fingerprint(settings.BASE_DIR):
        return
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3") and not Path(database["NAME"]).exists():
        return
    if 0 < settings.PORT < 65536 and not port_problem(settings.HOST, settings.PORT):
        command = web_command(settings.HOST, settings.PORT)
        started = spawn(command, settings.BASE_DIR, stderr=subprocess.PIPE)
        atexit.register(started.kill)


def mark_ready(data: Path, base: Path) -> None:
    (data / "ready").write_text(fingerprint(base))


def fingerprint(base: Path) -> str:
    """Of all migrations and of the packages that have some."""
    files = [*sorted(base.glob("*/migrations/*.py")), base / "requirements" / "base.txt"]
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def web_command(host: str, port: int) -> list[str]:
    options = ["-b", host, "-p", str(port), "-v", "0"]
    options += ["--websocket-max-message-size", str(LONGEST_MESSAGE)]
    return [sys.executable, "-m", "daphne", *options, "ainews_site.asgi:application"]


def spawn(
    command: list[str],
    folder: Path,
    environment: dict[str, str] | None = None,
    stderr: int | None = None,
) -> "subprocess.Popen[bytes]":
    """In a group of its own, so that it and what it forked end together, and no later than we."""
    return subprocess.Popen(  # noqa: S603 - our own commands
        command,
        cwd=folder,
        env=os.environ | {"AINEWS_RUN": RUN} | for_child() | (environment or {}),
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stderr=stderr,
    )


def port_problem(host: str, port: int) -> str:
    """Why nothing can listen there, in one sentence; empty when it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            return f"Port {port} requires root; choose one above 1023, such as PORT=8000."
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                other = f"choose another, such as PORT={port + 1}"
                return f"Port {port} is used by another program; {other}."
            return f"Cannot listen on {host}:{port}: {error.strerror or error}."
    return ""
