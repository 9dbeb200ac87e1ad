"""The whole product with its sample newsroom, and a real Chromium that is signed in."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

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

    def manage(self, *arguments: str) -> str:
        """Run a command on the same database, and return what it prints."""
        command = [sys.executable, "manage.py", *arguments]
        run = subprocess.run(
            command, env=self.environment, cwd=settings.BASE_DIR, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
        return run.stdout

    def stop(self) -> None:
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


@pytest.fixture
def open_page(product: Product, browser: Browser, signed_in: Any) -> Iterator[Any]:
    """Opens an address in a context of its own; console errors fail the test."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        is_offline = "ERR_INTERNET_DISCONNECTED" in message.text  # a test cut the connection
        if message.type == "error" and not is_offline:
            errors.append(message.text)

    def open_it(path: str, **options: Any) -> Page:
        context = browser.new_context(storage_state=signed_in, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", note)
        page.goto(product.url + path)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not errors
