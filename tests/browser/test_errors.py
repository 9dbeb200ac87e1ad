"""Each error in Chromium, in both themes, on a phone and on a desk: words, looks, and a way on."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.ainews_site.test_nginx import PASSWORD, Web, site_data
from tests.browser.conftest import Product

GUNICORN = ["gunicorn", "-b", "127.0.0.1:PORT", "-k", "gthread", "-w", "1", "ainews_site.wsgi"]
BROKEN = {"DJANGO_SETTINGS_MODULE": "tests.broken_settings"}
PAPER = {"light": "rgb(251, 250, 247)", "dark": "rgb(19, 20, 22)"}
ERRORS = {
    "/?q=%00": (400, "Unreadable request", "Nothing was saved."),
    "/limited/": (429, "Please wait", "Try again in 30 seconds."),
    "/signout/": (405, "Nothing to show here", "Nothing was changed."),
    "/broken/": (500, "Something went wrong", "The error was logged. Your news is safe."),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A site with addresses that fail."""
    data = site_data(tmp_path_factory.mktemp("data"))
    with Web(GUNICORN, data, BROKEN) as web:
        yield f"http://127.0.0.1:{web.port}"


@pytest.fixture(scope="module")
def unprepared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A site whose database has no tables."""
    with Web(GUNICORN, tmp_path_factory.mktemp("empty"), BROKEN) as web:
        yield f"http://127.0.0.1:{web.port}"


@pytest.fixture(
    scope="module", params=[(scheme, width) for scheme in PAPER for width in (360, 1280)]
)
def shared_window(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    scheme, width = request.param
    context = browser.new_context(
        viewport={"width": width, "height": 700}, color_scheme=scheme, service_workers="block"
    )
    yield context.new_page()
    context.close()


@pytest.fixture
def window(shared_window: Page) -> Iterator[Page]:
    """A tab without cookies. To open one takes six times the CPU time of a page in it."""
    yield shared_window
    shared_window.evaluate("localStorage.clear(); sessionStorage.clear()")
    shared_window.context.clear_cookies()


def check(page: Page, heading: str, text: str, button: str) -> None:
    """Check what every page of an error has."""
    assert page.locator("h1").inner_text() == heading
    assert text in page.locator("main").inner_text()
    link = page.get_by_role("link", name=button)
    box = link.bounding_box()
    assert box
    assert box["height"] >= 44
    width = page.viewport_size["width"] if page.viewport_size else 0
    assert page.evaluate("document.documentElement.scrollWidth") == width
    scheme = "dark" if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") else ""
    color = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert color == PAPER[scheme or "light"]
    sign = page.locator("header svg").bounding_box()
    assert sign
    assert (sign["width"], sign["height"]) == (20, 12)


@pytest.mark.parametrize("path", ERRORS)
def test_a_failed_request_is_explained(window: Page, site: str, path: str) -> None:
    status, heading, text = ERRORS[path]
    response = window.goto(site + path)

    assert response
    assert response.status == status
    check(window, heading, text, "Try again" if status == 429 else "Back to stories")


def test_an_old_form_is_explained(window: Page, site: str) -> None:
    window.goto(site + "/signin/")
    window.evaluate("document.querySelector('main [name=csrfmiddlewaretoken]').value = 'old'")
    window.fill("main [name=username]", "reader")
    window.fill("main [name=password]", "a guess")
    window.click("main [type=submit]")

    window.get_by_role("heading", name="Reload and try again").wait_for()
    text = "Your session changed, or this form is too old."
    check(window, "Reload and try again", text, "Back to stories")


@pytest.mark.parametrize(("path", "status"), [("/forbidden/", 403), ("/nothing/", 404)])
def test_what_is_not_there_leads_back(window: Page, site: str, path: str, status: int) -> None:
    """Those two have the navigation of all pages, and the theme of the reader."""
    window.goto(site + "/signin/")
    window.fill("main [name=username]", "reader")
    window.fill("main [name=password]", PASSWORD)
    window.click("main [type=submit]")
    window.wait_for_url(site + "/")
    response = window.goto(site + path)

    assert response
    assert response.status == status
    width = window.viewport_size["width"] if window.viewport_size else 0
    assert window.evaluate("document.documentElement.scrollWidth") <= width
    window.get_by_role("link", name="Back to stories").click()
    window.wait_for_url(site + "/")


@pytest.mark.parametrize("path", ["/", "/broken/"])
def test_a_site_without_tables_is_explained(window: Page, unprepared_site: str, path: str) -> None:
    """A cookie makes the site look for a session, which fails; an error needs no session."""
    if path == "/":
        cookie = {"name": "sessionid", "value": "a" * 32, "url": unprepared_site}
        window.context.add_cookies([cookie])  # type: ignore[list-item]
    response = window.goto(unprepared_site + path)

    assert response
    if path == "/":
        assert response.status == 503
        assert response.header_value("retry-after") == "10"
        check(window, "Temporarily unavailable", "is not set up for this version", "Try again")
    else:
        assert response.status == 500
        check(window, "Something went wrong", "Your news is safe.", "Back to stories")


@pytest.fixture
def reader(product: Product, browser: Browser, signed_in: Any) -> Iterator[Page]:
    with ExitStack() as stack:
        context = browser.new_context(
            storage_state=signed_in, viewport={"width": 360, "height": 700}, color_scheme="dark"
        )
        stack.callback(context.close)
        page = context.new_page()
        page.goto(product.url + "/river/")
        page.evaluate("navigator.serviceWorker.ready.then(() => 0)")
        yield page


def test_without_a_connection_the_offline_page_appears(product: Product, reader: Page) -> None:
    reader.reload()  # the worker handles it from now on
    reader.context.set_offline(True)
    reader.goto(product.url + "/trends/")

    check(reader, "You're offline", "Nothing was sent or saved.", "Try again")
    reader.context.set_offline(False)
    reader.get_by_role("link", name="Try again").click()
    reader.get_by_role("heading", name="Trends", exact=True).wait_for()
    assert reader.url == product.url + "/trends/"


def test_the_worker_stores_no_page_of_a_reader(product: Product, reader: Page) -> None:
    for path in ("/", "/river/", "/digest/"):
        reader.goto(product.url + path)
    stored = reader.evaluate(
        "caches.keys().then((names) => Promise.all(names.map((name) => caches.open(name)"
        ".then((cache) => cache.keys()))))"
        ".then((all) => all.flat().map((request) => new URL(request.url).pathname))"
    )

    assert "/offline/" in stored
    assert all(path == "/offline/" or path.startswith("/static/") for path in stored)


def test_signing_out_clears_what_is_stored(product: Product, browser: Browser) -> None:
    """Of this context, in a session of its own."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(product.url + "/signin/")
    page.evaluate("navigator.serviceWorker.ready.then(() => 0)")
    page.evaluate("localStorage.setItem('place', 'x')")
    page.evaluate("sessionStorage.setItem('place', 'x')")
    page.evaluate(
        "fetch('/signout/', {method: 'POST', headers: {'X-CSRFToken':"
        " document.querySelector('[name=csrfmiddlewaretoken]').value}})"
    )

    page.wait_for_function("localStorage.getItem('place') === null")
    assert page.evaluate("caches.keys()") == []
    context.close()
