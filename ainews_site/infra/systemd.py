"""Notifies systemd of the state of this process, as sd_notify(3) does.

Does nothing in a process that systemd did not start with `Type=notify`.
"""

import os
import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress
from functools import cache

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
PINGS_PER_PERIOD = 3
"""How often the watchdog is notified in the time after which systemd restarts the service."""


class Service:
    """The connection to the service manager that started this process."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        """Take the variables out of `environment`, so that no child speaks for this process."""
        address, period, pid = (environment.pop(name, "") for name in VARIABLES)
        # A name that begins with @ is in Linux's abstract namespace.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        is_ours = pid in ("", str(os.getpid()))
        self.period = int(period) / 1e6 if is_ours and period.isdigit() else 0.0
        """Seconds without a ping after which systemd restarts the service; 0 for no watchdog."""
        self._pinged_at = -self.period

    @property
    def is_managed(self) -> bool:
        return bool(self._address)

    def ready(self, status: str = "") -> None:
        """Report that the process does its work from now on."""
        self._send("READY=1", f"STATUS={status}" if status else "")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def ping(self) -> None:
        """Report that the process still works. Call it in the loop that must not hang."""
        now = time.monotonic()
        if self.period and now - self._pinged_at >= self.period / PINGS_PER_PERIOD:
            self._pinged_at = now
            self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        message = "\n".join(line for line in lines if line).encode()
        # A service must not fail because its manager is restarted or busy.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.settimeout(1)
            client.connect(self._address)
            client.send(message)


@cache
def service() -> Service:
    """Return the service of this process. The first call changes the environment."""
    return Service(os.environ)
