"""Both web servers reject bodies that are too large before they read them."""

import select
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from ainews_site.request_limits import API, FORM, OPML, limit_for
from tests.ainews_site.test_https import DAPHNE, GUNICORN
from tests.ainews_site.test_nginx import PASSWORD, Web, site_data

MIB = 1024 * 1024
CHUNK = b"x" * 65_536
BUFFERED = 6 * MIB
"""Bytes that the kernel accepts from a client before a process reads them."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return site_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module", params=[GUNICORN, DAPHNE], ids=["gunicorn", "daphne"])
def server(request: pytest.FixtureRequest, data: Path) -> Iterator[Web]:
    with Web(request.param, data) as web:
        yield web


@pytest.fixture
def reader(server: Web) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client:
        client.get("/signin/")
        form = {"username": "reader", "password": PASSWORD}
        token = {"csrfmiddlewaretoken": client.cookies["csrftoken"]}
        assert client.post("/signin/", data=form | token).status_code == 302
        yield client


@dataclass
class Upload:
    """The result of an upload that was sent for as long as the server accepted it."""

    status: int
    sent: int


def upload(server: Web, path: str, size: int, *headers: str, chunked: bool = False) -> Upload:
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    head = "\r\n".join([f"POST {path} HTTP/1.1", "Host: 127.0.0.1", length, *headers, "", ""])
    piece = b"%x\r\n%s\r\n" % (len(CHUNK), CHUNK) if chunked else CHUNK
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as wire:
        wire.sendall(head.encode())
        sent = 0
        try:
            while sent < size and not select.select([wire], [], [], 0)[0]:
                wire.sendall(piece[: size - sent] if not chunked else piece)
                sent += len(CHUNK)
            if chunked:
                wire.sendall(b"0\r\n\r\n")
        except OSError:  # closed meanwhile; the answer may still be there
            pass
        return Upload(_status(wire), sent)


def _status(wire: socket.socket) -> int:
    try:
        return int(wire.recv(64).split()[1])
    except (OSError, IndexError):
        return 0


@pytest.mark.parametrize("path", ["/signin/", "/sources/import/", "/api/v1/states/", "/nowhere/"])
def test_a_large_upload_of_an_anonymous_client_is_rejected_unread(server: Web, path: str) -> None:
    done = upload(server, path, 300 * MIB)

    assert done.status == 413
    assert done.sent < BUFFERED


def test_an_upload_without_a_length_is_counted_while_it_is_read(server: Web) -> None:
    done = upload(server, "/signin/", 300 * MIB, chunked=True)

    assert done.sent < BUFFERED
    assert done.status != 200


@pytest.mark.parametrize("cookie", ["", "sessionid=abcdefghijklmnopqrstuvwxyz012345"])
def test_only_readers_can_upload_an_opml_file(server: Web, cookie: str) -> None:
    headers = [f"Cookie: {cookie}"] if cookie else []

    done = upload(server, "/sources/import/", 11 * MIB, *headers)

    assert done.status == 413
    assert done.sent < BUFFERED


def test_an_opml_file_has_a_size_limit(server: Web, reader: httpx.Client) -> None:
    token = {"csrfmiddlewaretoken": reader.cookies["csrftoken"]}

    def send(size: int) -> int:
        outline = b'<opml version="2.0"><body/></opml>'
        files = {"opml": ("mine.opml", outline + b" " * size)}
        return reader.post("/sources/import/", data=token, files=files).status_code

    assert send(9 * MIB) == 302
    cookie = "; ".join(f"{one.name}={one.value}" for one in reader.cookies.jar)
    done = upload(server, "/sources/import/", 300 * MIB, f"Cookie: {cookie}")
    assert done.status == 413
    assert done.sent < BUFFERED


def test_forms_and_json_have_separate_limits(reader: httpx.Client) -> None:
    headers = {"X-CSRFToken": reader.cookies["csrftoken"]}

    def form(size: int) -> httpx.Response:
        return reader.post("/river/read/", data={"seq": "0", "x": "x" * size}, headers=headers)

    def states(size: int) -> httpx.Response:
        body = {"items": [1], "read": True, "x": "x" * size}
        return reader.post("/api/v1/states/", json=body, headers=headers)

    assert form(FORM - 1000).status_code == 302
    assert form(FORM).status_code == 413
    assert "the limit is 64 KB" in form(FORM).text
    assert states(API - 1000).status_code == 200
    assert states(API).status_code == 413
    assert states(API).json() == {"detail": "The request is too large: the limit is 256 KB."}


def test_the_connection_stays_open_after_a_small_excess(reader: httpx.Client) -> None:
    for _ in range(3):
        assert reader.post("/river/read/", content=b"x" * (FORM + 1)).status_code == 413
        assert reader.get("/river/").status_code == 200


@pytest.mark.parametrize(
    ("path", "is_reader", "limit"),
    [
        ("/sources/import/", True, OPML),
        ("/sources/import/", False, FORM),
        ("/sources/import", True, FORM),
        ("/api/v1/states/", False, API),
        ("/admin/feeds/item/", True, MIB),
        ("/admin/login/", False, FORM),
        ("/", True, FORM),
    ],
)
def test_the_limit_depends_on_the_path(path: str, is_reader: bool, limit: int) -> None:
    assert limit_for(path, is_reader=is_reader) == limit
