"""Parses untrusted documents in a child process with limited memory and time. Pure.

A web process must keep answering while it previews a hostile document, and Python code cannot
interrupt a parser written in C. So a child process parses the document. It has no access to the
server's state: no database connection, no secrets, no Django. See `feeds.core.sandbox_child`.
"""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from feeds.core.errors import LimitError, ParseError
from feeds.core.sandbox_child import Frame, receive, send

logger = logging.getLogger(__name__)

_slots = threading.BoundedSemaphore(2)
"""Limits how many documents are parsed at a time. Others wait."""
_COMMAND = (sys.executable, "-P", "-m", "feeds.core.sandbox_child")
_ROOT = str(Path(__file__).resolve().parents[2])
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT")


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """Limits of CPU time and wall-clock time for one document, in seconds, and of memory in MiB."""

    cpu_seconds: int = 10
    seconds: float = 30.0
    megabytes: int = 512


class Sandbox:
    """A child process, which is started at the first call, and again after it was killed.

    Use it as a context manager. One thread at a time may call it.
    """

    def __init__(self, limits: SandboxLimits | None = None) -> None:
        self._limits = limits or SandboxLimits()
        self._child: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._child is not None:
            self._child.kill()  # it has nothing to finish
        self._stop()

    def call(self, function: str, body: bytes, **arguments: Any) -> Any:
        """Call `function`, written as `module:name`, in the child, and return its result.

        Arguments and result must be JSON values; `body` is passed as bytes. Raises the ParseError
        or LimitError that the function raises, and LimitError if the child exceeds a limit.
        """
        if not _slots.acquire(timeout=self._limits.seconds):
            raise LimitError("The server is reading other documents. Try again later.")
        try:
            answer = self._ask(json.dumps([function, arguments]).encode(), body)
        finally:
            _slots.release()
        if "error" in answer:
            if answer["error"]["kind"] == "memory":
                self._stop()  # the child may be in an inconsistent state
            raise _error(answer["error"], self._limits)
        return answer["result"]

    def _ask(self, call: bytes, body: bytes) -> dict[str, Any]:
        until = time.monotonic() + self._limits.seconds
        if self._child is not None and self._child.poll() is not None:
            self._stop()  # it was killed between two calls
        channel = self._socket or self._start()
        try:
            send(channel, Frame(call, body), until)
            frame = receive(channel, until)
        except OSError as error:
            self._stop()
            if isinstance(error, TimeoutError):
                raise LimitError(
                    f"Reading the document took more than {self._limits.seconds:g} seconds."
                ) from None
            frame = None
        except BaseException:  # the pending response must not be taken for that of the next call
            self._stop()
            raise
        if frame is None:
            raise _death(self._stop(), self._limits)
        answer: dict[str, Any] = json.loads(frame.head)
        return answer

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        limits = self._limits
        with theirs:
            self._child = subprocess.Popen(  # noqa: S603 - our own module
                [*_COMMAND, str(limits.cpu_seconds), str(limits.megabytes)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C must only reach the server, which stops the child
                env=environment | {"PYTHONPATH": os.pathsep.join([_ROOT, *filter(None, sys.path)])},
            )
        self._socket = ours
        return ours

    def _stop(self) -> int | None:
        """Stop the child.

        Returns its exit status, negative for a signal, or None if it was killed.
        """
        child, channel, self._child, self._socket = self._child, self._socket, None, None
        if channel is not None:
            channel.close()
        if child is None:
            return None
        try:
            status: int | None = child.wait(0.5)  # closing its socket makes it exit
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            status = None
        return status


def _error(error: dict[str, Any], limits: SandboxLimits) -> Exception:
    if error["kind"] == "memory":
        return _out_of_memory(limits)
    if error["kind"] == "limit":
        return LimitError(error["message"])
    if error["kind"] == "crash":
        logger.error("sandbox_crashed %s", error["message"])
        return ParseError("The document could not be read.")
    return ParseError(error["message"], tuple(error["alternates"]))


def _death(status: int | None, limits: SandboxLimits) -> LimitError:
    """Return the error for a child that ended without a response."""
    if status == -signal.SIGXCPU:
        return LimitError(
            f"Reading the document took more than {limits.cpu_seconds} seconds of CPU time."
        )
    # Out of memory, libraries in Rust abort, and the kernel sends SIGKILL.
    if status in (-signal.SIGABRT, -signal.SIGKILL):
        return _out_of_memory(limits)
    return LimitError("Reading the document failed, as it exceeds what the parser can handle.")


def _out_of_memory(limits: SandboxLimits) -> LimitError:
    return LimitError(f"Reading the document takes more than {limits.megabytes} MiB of memory.")
