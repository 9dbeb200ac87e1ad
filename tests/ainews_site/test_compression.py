"""Compression of pages and JSON."""

import gzip
import re

import brotli
import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import Client, RequestFactory

from ainews_site.compression import ENCODERS, MAX_PADDING, CompressionMiddleware, accepted
from tests.make import make_item, make_source, make_user

PAGE = "<p>A lab publishes a model.</p>" * 100
DECODERS = {"br": brotli.decompress, "gzip": gzip.decompress}


def answer(response: HttpResponseBase, encodings: str = "gzip, deflate, br, zstd") -> HttpResponse:
    request = RequestFactory().get("/", headers={"Accept-Encoding": encodings})
    return CompressionMiddleware(lambda _: response)(request)  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("br;q=0, gzip", "gzip"),
        ("gzip;q=0.5", "gzip"),
        ("gzip;q=0.0, br;q=0", None),
        ("identity", None),
        ("", None),
    ],
)
def test_a_page_is_compressed_as_the_client_accepts(header: str, name: str | None) -> None:
    response = answer(HttpResponse(PAGE, headers={"Content-Length": str(len(PAGE))}), header)

    assert response.headers.get("Content-Encoding") == name
    assert response.headers["Content-Length"] == str(len(response.content))
    assert response.headers["Vary"] == "Accept-Encoding"
    content = DECODERS[name](response.content) if name else response.content
    assert content.decode() == PAGE


@pytest.mark.parametrize("name", ENCODERS)
def test_the_length_of_an_answer_is_padded_at_random(name: str) -> None:
    lengths = {len(ENCODERS[name](PAGE.encode())) for _ in range(300)}

    assert len(lengths) > MAX_PADDING // 3
    assert max(lengths) - min(lengths) <= MAX_PADDING


@pytest.mark.parametrize(
    "response",
    [
        HttpResponse("short"),
        HttpResponse(PAGE, content_type="image/png"),
        HttpResponse(PAGE, headers={"Content-Encoding": "identity"}),
        StreamingHttpResponse([PAGE]),
    ],
)
def test_what_would_not_gain_stays_as_it_is(response: HttpResponseBase) -> None:
    assert answer(response).headers.get("Content-Encoding") in (None, "identity")


def test_a_strong_tag_becomes_weak() -> None:
    assert answer(HttpResponse(PAGE, headers={"ETag": '"a"'})).headers["ETag"] == 'W/"a"'
    assert answer(HttpResponse(PAGE, headers={"ETag": 'W/"a"'})).headers["ETag"] == 'W/"a"'


@pytest.mark.parametrize("header", ["*", "br;", "br;q=x", ",,", "a b"])
def test_an_odd_header_is_no_error(header: str) -> None:
    assert not accepted(header) & ENCODERS.keys()


@pytest.mark.django_db
def test_pages_and_the_api_are_compressed(client: Client) -> None:
    user = make_user()
    source = make_source(reader=user)
    for number in range(5):
        make_item(source, f"A lab publishes model {number}")
    client.force_login(user)

    for path in ("/river/", "/api/v1/items/"):
        plain = client.get(path).content
        compressed = client.get(path, headers={"Accept-Encoding": "br"})
        assert compressed.headers["Content-Encoding"] == "br"
        assert _without_tokens(brotli.decompress(compressed.content)) == _without_tokens(plain)


@pytest.mark.django_db
def test_an_unchanged_answer_of_the_api_is_not_sent_again(client: Client) -> None:
    user = make_user()
    make_item(make_source(reader=user), "A lab publishes a model")
    client.force_login(user)

    tag = client.get("/api/v1/sources/", headers={"Accept-Encoding": "br"}).headers["ETag"]
    again = client.get("/api/v1/sources/", headers={"Accept-Encoding": "br", "If-None-Match": tag})
    assert again.status_code == 304


def _without_tokens(page: bytes) -> bytes:
    return re.sub(rb"\b[0-9A-Za-z]{64}\b|\b\d+\.?\d* ms|\"milliseconds\":\d+", b"", page)
