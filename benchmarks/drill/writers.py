"""Readers who save items over the API all the time, and what they were told was saved."""

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx

LEAST_PAUSE, LONGEST_DRILL = 0.02, 900.0
"""Seconds between two writes, so that no reader runs out of items in a drill of that length."""
REST = 0.25
"""Seconds between two attempts while the site does not answer."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader with an API token, and items that they can see and have no state of."""

    pk: int
    token: str
    items: list[int]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A write that was answered with 200 at the monotonic time `at`."""

    at: float
    user: int
    item: int


@dataclass
class Writers:
    """A thread for each reader. Acknowledged writes are also appended to `file`."""

    address: str
    readers: Sequence[Reader]
    file: Path
    acknowledged: list[Acknowledged] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._ends = threading.Event()
        self._lock = threading.Lock()
        self._log = self.file.open("a", buffering=1)
        self._threads = [threading.Thread(target=self._write, args=(r,)) for r in self.readers]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join()
        self._log.close()

    def first_after(self, moment: float, patience: float = 900) -> float:
        """Wait for the first write that is acknowledged after `moment`; return when it was."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            with self._lock:
                later = [write.at for write in self.acknowledged if write.at > moment]
            if later:
                return min(later)
            time.sleep(0.05)
        raise TimeoutError("no write was acknowledged any more")

    def before(self, moment: float) -> list[Acknowledged]:
        with self._lock:
            return [write for write in self.acknowledged if write.at <= moment]

    def _write(self, reader: Reader) -> None:
        headers = {"Authorization": f"Bearer {reader.token}"}
        pause = max(LEAST_PAUSE, LONGEST_DRILL / len(reader.items))
        with httpx.Client(base_url=self.address, headers=headers, timeout=20) as client:
            for item in reader.items:
                while not self._ends.is_set() and not self._save(client, reader.pk, item):
                    self._ends.wait(REST)
                if self._ends.wait(pause):
                    break

    def _save(self, client: httpx.Client, user: int, item: int) -> bool:
        try:
            answer = client.post("/api/v1/states/", json={"items": [item], "saved": True})
            outcome = "" if answer.status_code == 200 else str(answer.status_code)
        except httpx.HTTPError as error:
            outcome = type(error).__name__
        with self._lock:
            if outcome:
                self.errors[outcome] = self.errors.get(outcome, 0) + 1
            else:
                self.acknowledged.append(Acknowledged(time.monotonic(), user, item))
                self._log.write(json.dumps([time.time(), user, item]) + "\n")
        return not outcome
