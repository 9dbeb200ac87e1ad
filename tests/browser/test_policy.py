"""The Content-Security-Policy as Chromium enforces it, and the socket as it allows it."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from feeds.web.live.socket import TOO_BIG
from tests.browser.conftest import Product

SAID = "new Promise((end) => addEventListener('securitypolicyviolation', (event) => end(event.%s)))"


@pytest.fixture
def page(product: Product, browser: Browser, signed_in: Any) -> Iterator[Page]:
    """The river; what is blocked is written to the console, which is no failure here."""
    context = browser.new_context(storage_state=signed_in)
    page = context.new_page()
    page.goto(product.url + "/river/")
    yield page
    context.close()


@pytest.mark.parametrize(
    ("attack", "directive"),
    [
        ("Object.assign(document.createElement('script'), {text: 'window.ran = 1'})", "script-src"),
        ("Object.assign(document.createElement('style'), {textContent: 'p {}'})", "style-src"),
        ("document.createRange().createContextualFragment('<b onclick=1>')", "script-src"),
    ],
)
def test_what_slips_into_a_page_does_not_run(page: Page, attack: str, directive: str) -> None:
    violated = page.evaluate(
        f"() => {{ const said = {SAID % 'effectiveDirective'};"
        f" document.body.append({attack}); return said; }}"
    )

    assert violated.startswith(directive)
    assert page.evaluate("window.ran") is None


@pytest.mark.parametrize("call", ["new WebSocket('ws://127.0.0.2:9/')", "fetch('//127.0.0.2:9/')"])
def test_no_script_connects_to_another_host(page: Page, call: str) -> None:
    violated = page.evaluate(
        f"() => {{ const said = {SAID % 'effectiveDirective'};"
        f" Promise.resolve({call}).catch(() => 0); return said; }}"
    )

    assert violated == "connect-src"


BROKEN_OFF = 1006
OPEN = """(message) => new Promise((end) => {
  const socket = new WebSocket(`ws://${location.host}/ws/`);
  socket.onmessage = ({ data }) => {
    if (message) socket.send(message);
    else end(JSON.parse(data).kind);
  };
  socket.onclose = ({ code }) => end(code);
})"""


def test_the_page_s_own_socket_is_allowed(page: Page) -> None:
    assert page.evaluate(OPEN, "") == "hello"


@pytest.mark.parametrize(("length", "code"), [(2_000, TOO_BIG), (1_000_000, BROKEN_OFF)])
def test_a_long_message_ends_the_socket(page: Page, length: int, code: int) -> None:
    """The shorter one comes through to the consumer, the longer one is not read by daphne."""
    assert page.evaluate(OPEN, "x" * length) == code
