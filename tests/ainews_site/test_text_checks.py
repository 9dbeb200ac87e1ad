"""Every URL rejects text that no database can store, and none fails with a server error."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from io import BytesIO
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, RequestFactory
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse

from accounts.models import User
from ainews_site.text_checks import (
    MAX_DEPTH,
    TOO_DEEP,
    UNFIT,
    CheckedASGIRequest,
    CheckedSockets,
    CheckedWSGIRequest,
)
from digests.channels.links import FEED, token_for
from digests.models import Channel
from tests.make import make_item, make_source, make_story, make_user
from tests.openapi import described, pattern_of

pytestmark = pytest.mark.django_db
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
ENCODED = ["%00", "a%00b", "%ED%A0%80", "%ed%bf%bf"]


def addresses(resolver: Any, namespace: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield all URL names, including the admin's, with the converters of their arguments."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from addresses(pattern, inner)
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield namespace + pattern.name, pattern.pattern.converters


@pytest.fixture
def reader() -> User:
    user = make_user(is_staff=True, is_superuser=True)
    make_story(make_item(make_source(reader=user), "A lab publishes a model"))
    Channel.objects.create(user=user, kind="feed")
    return user


@pytest.fixture
def client(reader: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(reader)
    return client


@pytest.fixture
def paths(reader: User) -> list[str]:
    item = reader.subscriptions.get().source.items.get()
    known: dict[str, Any] = {"pk": item.pk, "object_id": item.pk, "topic": "agents"}
    known |= {"day": date(2026, 1, 1), "year": 2026, "month": 1, "term": "model"}
    known |= {"token": token_for(reader.channels.get(), FEED), "app_label": "feeds"}
    known |= {"content_type_id": 1, "url": "feeds", "path": "feeds"}
    found = []
    for name, converters in addresses(get_resolver()):
        try:
            found.append(reverse(name, kwargs={key: known.get(key, 1) for key in converters}))
        except NoReverseMatch:  # the admin's last resort, which has no converter
            continue
    assert len(found) > 100
    return sorted({*found})


def check(response: Any, where: object) -> None:
    assert response.status_code == 400, (where, response.status_code)
    assert UNFIT in response.content.decode(), where


@pytest.mark.parametrize("text", ENCODED)
def test_no_address_takes_it_in_its_query_or_path(
    client: Client, paths: list[str], text: str
) -> None:
    for path in paths:
        check(client.get(f"{path}?q={text}"), path)
        check(client.get(f"{path}?{text}=1"), path)
        check(client.get(f"{path}{text}"), path)
        check(client.get(f"{path}{text}/"), path)


@pytest.mark.parametrize("text", ENCODED)
def test_no_page_takes_it_in_a_form(client: Client, paths: list[str], text: str) -> None:
    for path in paths:
        if not path.startswith("/api/"):
            check(client.post(path, f"csrf=&q={text}", FORM), path)
            check(client.post(path, f"{text}=1", FORM), path)


def test_no_page_takes_it_in_a_form_with_files(client: Client, paths: list[str]) -> None:
    for path in paths:
        if not path.startswith("/api/"):
            check(client.post(path, {"url": "a\0b"}), path)
            check(client.post(path, {"a\0b": "1"}), path)


@pytest.mark.parametrize("text", [r"\u0000", r"\ud800", r"a\udfffb"])
@pytest.mark.parametrize("body", ['{"NAME": "TEXT"}', '{"NAME": ["TEXT"]}', '{"TEXT": 1}'])
def test_no_resource_takes_it_in_json(
    client: Client, paths: list[str], text: str, body: str
) -> None:
    for path, method, reads in operations(paths):
        sent = body.replace("NAME", "q").replace("TEXT", text)
        response = client.generic(method, path, sent, JSON)
        assert response.status_code < 500, (method, path)
        if reads:
            assert response.json() == {"detail": UNFIT}, (method, path)


@pytest.mark.parametrize("depth", [MAX_DEPTH, 900, 100_000])
@pytest.mark.parametrize("ends", [("[", "]"), ('{"q":', "}")], ids=["lists", "objects"])
def test_no_resource_takes_json_that_is_nested_deeply(
    client: Client, paths: list[str], depth: int, ends: tuple[str, str]
) -> None:
    start, end = ends
    depth = min(depth, 200_000 // len(start + end))
    for path, method, reads in operations(paths):
        response = client.generic(method, path, start * depth + "0" + end * depth, JSON)
        assert response.status_code < 500, (method, path)
        if reads:
            assert response.json() == {"detail": TOO_DEEP}, (method, path)


def operations(paths: list[str]) -> Iterator[tuple[str, str, bool]]:
    """Yield path and method of each operation that changes data, and whether it reads a body."""
    for path in paths:
        if path.startswith("/api/"):
            operations = described(settings.ROOT_URLCONF)["paths"].get(pattern_of(path), {})
            for method in ("post", "put", "patch", "delete"):
                reads = "requestBody" in operations.get(method, {})
                yield path, method.upper(), reads


@pytest.mark.parametrize("number", ["9" * 30, "-" + "9" * 30, "1e999", "NaN", "9" * 5000, "1.5"])
def test_numbers_of_any_size_are_no_error_of_ours(
    client: Client, paths: list[str], number: str
) -> None:
    whole = ("undo", "folder", "upto_seq", "q", "term", "url", "kind", "level")
    for path, method, _ in operations(paths):
        for items in (number, f"[{number}]"):
            texts = ", ".join(f'"{name}": {number}' for name in whole)
            body = f'{{"items": {items}, "sources": {items}, "read": true, {texts}}}'
            assert client.generic(method, path, body, JSON).status_code < 500, (method, path)
        body = f'{{"items": [{number}], "read": true, "upto_seq": 1, "sources": [{number}]}}'
        assert client.generic(method, path, body, JSON).status_code < 500, (method, path)


def test_no_page_takes_it_in_a_cookie(client: Client, paths: list[str]) -> None:
    for path in ("/", "/signin/", "/api/v1/items/", "/admin/"):
        check(client.get(path, HTTP_COOKIE=r'sessionid="abcdefgh\000ijkl"'), path)


@pytest.mark.parametrize(
    ("cookie", "answers"), [(rb'sessionid="abcdefgh\000"', ["websocket.close"]), (b"a=b", [])]
)
def test_no_socket_takes_it_in_a_cookie(cookie: bytes, answers: list[str]) -> None:
    sent: list[str] = []

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message["type"])

    async def accept(scope: Any, receive: Any, send: Any) -> None:
        pass

    scope = {"type": "websocket", "headers": [(b"cookie", cookie)]}
    asyncio.run(CheckedSockets(accept)(scope, None, send))  # type: ignore[func-returns-value]

    assert sent == answers


@pytest.mark.parametrize("name", ["zlib", "hex", "unicode_escape", "utf-7", "idna", "a\0b"])
def test_a_peculiar_encoding_is_ignored(name: str) -> None:
    environ = RequestFactory().get("/?q=a").environ
    environ["CONTENT_TYPE"] = f"text/plain; charset={name}"
    scope = {"type": "http", "path": "/", "method": "POST", "query_string": b"q=a", "headers": []}
    scope["headers"] = [(b"content-type", f"application/json; charset={name}".encode())]

    for request in (CheckedWSGIRequest(environ), CheckedASGIRequest(scope, BytesIO())):
        assert request.GET["q"] == "a"
        assert request.encoding is None


def test_a_usual_encoding_is_used() -> None:
    kind = "multipart/form-data; boundary=x; charset=latin-1"
    environ = RequestFactory().post("/", b"-", kind).environ

    assert CheckedWSGIRequest(environ).encoding == "latin-1"
    environ["CONTENT_TYPE"] = "multipart/form-data; boundary=x; charset=hex"
    assert CheckedWSGIRequest(environ).content_params == {"boundary": "x"}


def test_the_web_servers_use_these_requests() -> None:
    """Each runs in its own process, because both modules change the process."""
    for module, handler in (("wsgi", "pages"), ("asgi", "http")):
        ask = f"from ainews_site import {module} as m; print(m.{handler}.request_class.__name__)"
        # The servers set no DJANGO_SETTINGS_MODULE.
        environment = {k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"}
        command = [sys.executable, "-c", ask]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.stdout == f"Checked{module.upper()}Request\n", done.stderr


def test_usual_text_passes(client: Client) -> None:
    emoji = {"q": "Łódź 🚀 %00 í\xa0"}
    assert client.get("/search/", emoji).status_code == 200
    assert client.get("/search/?q=%ED%95%9C").status_code == 200
    assert client.post("/trends/follow/", {"term": "🚀 rocket %ED%A0"}).status_code == 302
    deep = "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    answer = client.post("/api/v1/ask/", f'{{"x": {deep[1:-1]}, "q": "\\ud83d\\ude80?"}}', JSON)
    assert answer.status_code == 200


def test_a_page_of_the_refusal_leads_on(client: Client) -> None:
    page = client.get("/river/?q=%00").content.decode()

    assert "Remove it and try again" in page
    assert 'href="/"' in page
