"""The whole product with its sample newsroom, and a real Chromium that is signed in."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

RUN_SCRIPTS = """
import contextlib, io, json, sys, django
django.setup()
for line in sys.stdin:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(json.loads(line), {})
    print(json.dumps(printed.getvalue()), flush=True)
"""
NEW_READER = """
from accounts.models import SigninToken, User
from feeds.models import Source
from feeds.sources.subscriptions import subscribe
reader = User.objects.create_user({name!r})
for source in Source.objects.all()[:{sources}]:
    subscribe(reader, source)
print("TOKEN", SigninToken.issue(reader))
"""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Product:
    """`manage.py start --demo` with a database of its own."""

    def __init__(self, data: str) -> None:
        self.data = data
        self.port, self.newsroom_port = free_port(), free_port()
        environment = os.environ | {
            "DATA": data,
            "PORT": str(self.port),
            "DATABASE_URL": "",
            "REDIS_URL": "",
            "FETCH_ALLOW_PRIVATE": "127.0.0.1",
            "FETCH_HOST_PAUSE": "0",
            "LOG_LEVEL": "WARNING",
        }
        self.environment = environment
        self.process = subprocess.Popen(
            [
                sys.executable,
                "manage.py",
                "start",
                "--demo",
                "--newsroom-port",
                str(self.newsroom_port),
            ],
            env=environment,
            cwd=settings.BASE_DIR,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_for(self, pattern: str, seconds: float = 60) -> str:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := re.search(pattern, "".join(self.lines)):
                return found.group()
            time.sleep(0.1)
        raise AssertionError(f"{pattern} did not come:\n{''.join(self.lines)}")

    @cached_property
    def interpreter(self) -> "subprocess.Popen[str]":
        """A process with Django on the same database. To load it takes a second of CPU time."""
        return subprocess.Popen(
            [sys.executable, "-c", RUN_SCRIPTS],
            env=self.environment | {"DJANGO_SETTINGS_MODULE": "ainews_site.settings"},
            cwd=settings.BASE_DIR,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, script: str) -> str:
        """Run Python code on the same database, and return what it prints."""
        wires = self.interpreter.stdin, self.interpreter.stdout
        assert wires[0] is not None and wires[1] is not None
        wires[0].write(json.dumps(script) + "\n")
        wires[0].flush()
        answer = wires[1].readline()
        assert answer, "the script failed"
        return str(json.loads(answer))

    def stop(self) -> None:
        self.interpreter.kill()
        self.interpreter.communicate()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)


@pytest.fixture(scope="package")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    running = Product(str(tmp_path_factory.mktemp("product")))
    try:
        running.wait_for("Running\\.", 120)
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="package")
def browser(product: Product) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def signed_in(product: Product, browser: Browser) -> Any:
    """The cookies of a reader who opened the printed link."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(product.wait_for(r"http://127\.0\.0\.1:\d+/signin/\S+"))
    assert page.url == product.url + "/"
    state = context.storage_state()
    context.close()
    return state


class Errors:
    """What pages write to the console as errors."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def of_script(self, error: Exception) -> None:
        self.texts.append(str(error))

    def of_console(self, message: ConsoleMessage) -> None:
        is_offline = "ERR_INTERNET_DISCONNECTED" in message.text  # a test cut the connection
        if message.type == "error" and not is_offline:
            self.texts.append(message.text)

    def watch(self, page: Page) -> None:
        page.on("pageerror", self.of_script)
        page.on("console", self.of_console)

    def leave(self, page: Page) -> None:
        page.remove_listener("pageerror", self.of_script)
        page.remove_listener("console", self.of_console)


@pytest.fixture
def open_page(product: Product, browser: Browser, signed_in: Any) -> Iterator[Any]:
    """Opens an address in a context of its own; console errors fail the test."""
    contexts: list[BrowserContext] = []
    errors = Errors()

    def open_it(path: str, **options: Any) -> Page:
        context = browser.new_context(storage_state=signed_in, **options)
        contexts.append(context)
        page = context.new_page()
        errors.watch(page)
        page.goto(product.url + path)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not errors.texts


@pytest.fixture(scope="package")
def tab(browser: Browser, signed_in: Any) -> Iterator[Callable[[int, str], Page]]:
    """Returns the tab of a window with this width and scheme, which tests share.

    A page takes a fifth of a second of CPU time there, and more than one in a context of its own.
    """
    tabs: dict[tuple[int, str], Page] = {}

    def tab_of(width: int, scheme: Any) -> Page:
        if (width, scheme) not in tabs:
            context = browser.new_context(
                storage_state=signed_in,
                viewport={"width": width, "height": 900},
                color_scheme=scheme,
            )
            tabs[width, scheme] = context.new_page()
        return tabs[width, scheme]

    yield tab_of
    for page in tabs.values():
        page.context.close()


@pytest.fixture
def look_at(product: Product, tab: Callable[[int, str], Page]) -> Iterator[Any]:
    """Opens an address in such a tab, for a test that changes nothing; console errors fail it."""
    pages: list[Page] = []
    errors = Errors()

    def open_it(path: str, width: int, scheme: str = "light") -> Page:
        page = tab(width, scheme)
        pages.append(page)
        errors.watch(page)
        page.goto(product.url + path)
        return page

    yield open_it
    for page in pages:
        errors.leave(page)
        page.goto("about:blank")  # which ends its socket
    assert not errors.texts


@pytest.fixture
def new_reader(product: Product, browser: Browser) -> Iterator[Any]:
    """Opens the front page for a new account, as made in the admin, that follows some sources."""
    contexts = []

    def open_it(name: str, sources: int = 0, **options: Any) -> Page:
        script = NEW_READER.format(name=name, sources=sources)
        token = product.run(script).partition("TOKEN ")[2].strip()
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{product.url}/signin/{token}/")
        return page

    yield open_it
    for context in contexts:
        context.close()
