"""Readers for locust, who do in a browser what readers do. `benchmarks/load.py` runs this.

    python -m locust -f benchmarks/load_readers.py --headless --host http://127.0.0.1:PORT \\
        --users 100 --run-time 60s --sessions FILE --pause 0 --results FILE

FILE is JSON: [{"session": key, "items": [ids], "stories": [ids], "words": [texts]}, ...], one for
each reader. A reader opens a live socket, then does one act after another, drawn by ACTS, with
--pause seconds between the ends and beginnings of two of them. The first act comes at a random
moment of the first pause.

The host must be of this machine, and the run is bounded, so that nobody else's server is ever
loaded. Results are JSON: {"times": …, "errors": …, "messages": number}, see below.
"""

import ipaddress
import json
import random
import socket
import time
from argparse import ArgumentParser
from collections import Counter, defaultdict
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gevent
import websocket
from locust import FastHttpUser, events, task

MOST_USERS, LONGEST_RUN = 2_000, 600
PATIENCE = 60.0
REST = 1.0
"""Seconds for which a reader waits after an error or a refusal."""
TOKEN = "a" * 32
"""A CSRF token. The cookie and the form must have the same."""
SOCKET = "socket"
ACTS = {
    "stories": 25,
    "river": 20,
    "item": 15,
    "story": 10,
    "mark": 10,
    "sync": 10,
    "search": 5,
    "digest": 3,
    "sources": 2,
}
"""How often of a hundred times a reader does something."""


def host_problem(host: str | None) -> str:
    """Why this host must not be loaded, or ""."""
    url = urlsplit(host or "")
    try:
        found = socket.getaddrinfo(url.hostname, url.port, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        found = []
    addresses = {str(entry[4][0]) for entry in found}
    if addresses and all(ipaddress.ip_address(address).is_loopback for address in addresses):
        return ""
    return f"{host!r} is not on this machine. Load only http://127.0.0.1:PORT."


def bounds_problem(users: int | None, run_time: int | None, headless: bool) -> str:
    """Why a run of this size is refused, or ""."""
    if not headless:
        return "Only --headless runs are bounded."
    if not 0 < (users or 1) <= MOST_USERS:
        return f"At most {MOST_USERS} users."
    if not run_time or run_time > LONGEST_RUN:
        return f"Set --run-time, at most {LONGEST_RUN}s."
    return ""


@events.init_command_line_parser.add_listener
def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--sessions", type=Path, required=True, help="JSON file of the readers")
    parser.add_argument("--pause", type=float, default=10.0, help="seconds between two acts")
    parser.add_argument("--results", type=Path, required=True, help="file to write")


@events.init.add_listener
def check(environment: Any, **_: Any) -> None:
    """Refuse what is not on this machine or not bounded, before anything is sent."""
    options = environment.parsed_options
    problem = host_problem(environment.host) or bounds_problem(
        options.num_users, options.run_time, options.headless
    )
    if problem:
        raise SystemExit(problem)
    Reader.sessions = json.loads(options.sessions.read_text())
    Reader.pause = options.pause


times: defaultdict[str, Counter[int]] = defaultdict(Counter)
"""{act: {milliseconds: answers}}, without failures. Those of locust include them."""
errors: Counter[str] = Counter()
"""{act and status, or name of the error: times}."""
messages: Counter[str] = Counter()
"""{kind of a message of the socket: times}."""


@events.request.add_listener
def note(name: str, response_time: float, exception: object, **_: Any) -> None:
    if exception:
        errors[f"{name}: {exception}"] += 1
    else:
        times[name][round(response_time)] += 1


@events.quitting.add_listener
def write(environment: Any, **_: Any) -> None:
    results = {"times": times, "errors": errors, "messages": messages.total()}
    environment.parsed_options.results.write_text(json.dumps(results))
    environment.process_exit_code = 0  # errors are a result


class Reader(FastHttpUser):
    """One reader with one browser: a connection for pages, and a live socket."""

    network_timeout = connection_timeout = PATIENCE
    sessions: list[dict[str, Any]] = []
    pause = 0.0
    _numbers = count()

    def on_start(self) -> None:
        own = self.sessions[next(self._numbers) % len(self.sessions)]
        self.items, self.stories, self.words = own["items"], own["stories"], own["words"]
        self.cookies = f"sessionid={own['session']}; csrftoken={TOKEN}"
        self.etag = ""
        self.live: Any = None
        self.is_refused = self.has_stopped = False
        gevent.sleep(random.random() * self.pause)
        self.connect()

    def on_stop(self) -> None:
        self.has_stopped = True
        if self.live:
            self.live.close(timeout=0)

    def wait_time(self) -> float:
        """Called by locust."""
        return REST if self.is_refused else self.pause

    @task
    def act(self) -> None:
        name = random.choices(list(ACTS), list(ACTS.values()))[0]
        getattr(self, f"do_{name}")()

    def do_stories(self) -> None:
        self.get("stories", "/")

    def do_river(self) -> None:
        self.get("river", "/river/")

    def do_item(self) -> None:
        self.get("item", f"/item/{random.choice(self.items)}/")

    def do_story(self) -> None:
        self.get("story", f"/story/{random.choice(self.stories)}/")

    def do_search(self) -> None:
        self.get("search", f"/search/?q={random.choice(self.words)}")

    def do_digest(self) -> None:
        self.get("digest", "/digest/")

    def do_sources(self) -> None:
        self.get("sources", "/sources/")

    def do_mark(self) -> None:
        """Save an item, or unsave it, as the script of the page does."""
        self.request(
            "mark",
            "POST",
            f"/item/{random.choice(self.items)}/state/",
            data={"saved": random.choice("01"), "csrfmiddlewaretoken": TOKEN},
            headers={"Accept": "application/json"},
        )

    def do_sync(self) -> None:
        """Ask for the newest items, as a program does that has those of the last time."""
        answer = self.request(
            "sync",
            "GET",
            "/api/v1/items/?limit=50",
            headers={"Accept": "application/json", "If-None-Match": self.etag},
        )
        self.etag = answer.headers.get("ETag") or self.etag if answer.headers else self.etag

    def get(self, name: str, path: str) -> None:
        self.request(name, "GET", path, headers={"Accept": "text/html"})

    def request(self, name: str, method: str, path: str, **options: Any) -> Any:
        """Request a page. Anything but 200 and 304 is a failure, named by its status."""
        options["headers"] |= {"Cookie": self.cookies, "Accept-Encoding": "gzip, br"}
        with self.client.request(
            method, path, name=name, catch_response=True, allow_redirects=False, **options
        ) as answer:
            self.is_refused = answer.status_code not in (200, 304)
            if self.is_refused:
                answer.failure(str(answer.status_code or type(answer.error).__name__))
            else:
                answer.success()
        return answer

    def connect(self) -> None:
        """Open the live socket, greet, and count its messages."""
        began = time.monotonic()
        error: Exception | None = None
        try:
            self.live = websocket.create_connection(
                f"ws://{urlsplit(self.host).netloc}/ws/",
                cookie=self.cookies,
                origin=self.host,
                timeout=PATIENCE,
            )
            hello = json.loads(self.live.recv())
            self.live.send(json.dumps({"seq": hello["seq"]}))
        except (OSError, ValueError, KeyError, websocket.WebSocketException) as problem:
            error = problem
        self.record_socket((time.monotonic() - began) * 1000, error)
        if not error:
            self.live.settimeout(None)
            gevent.spawn(self.listen)

    def listen(self) -> None:
        """Count messages until the run ends. A socket that ends before is an error."""
        while True:
            try:
                kind = json.loads(self.live.recv())["kind"]
            except (OSError, ValueError, websocket.WebSocketException) as error:
                if not self.has_stopped:
                    self.record_socket(0.0, error)
                return
            messages[kind] += 1

    def record_socket(self, milliseconds: float, error: Exception | None) -> None:
        events.request.fire(
            request_type="WS",
            name=SOCKET,
            response_time=milliseconds,
            response_length=0,
            exception=error and type(error).__name__,
            context={},
        )
