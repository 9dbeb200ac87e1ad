"""Fetching from real servers on loopback, good, bad and hostile."""

import asyncio
import gzip
import itertools
import random
import socket
import time
import tracemalloc
import zlib
from dataclasses import replace
from http.server import BaseHTTPRequestHandler

import brotli
import pytest
import zstandard

from feeds.ingest.fetch.client import Limits, fetch_all, fetch_one
from feeds.ingest.fetch.guard import Guard
from feeds.ingest.fetch.types import FetchRequest, FetchResult
from tests.feeds.ingest.server import Answer, redirect, reply, serve

FEED = b"<rss><channel><title>T</title></channel></rss>"
LIMITS = Limits(
    guard=Guard.of(["127.0.0.1"]), timeout=3, connect_timeout=1, max_bytes=1_000_000, host_pause=0.0
)


def fetch(answer: Answer, limits: Limits = LIMITS) -> FetchResult:
    with serve({"/": answer}) as server:
        return fetch_one(server.url + "/", limits)


def fetch_many(requests: list[FetchRequest], limits: Limits = LIMITS) -> list[FetchResult]:
    async def collect() -> list[FetchResult]:
        return [result async for result in fetch_all(requests, limits)]

    return asyncio.run(collect())


def stream(*parts: bytes, pause: float = 0, endless: bool = False) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True
        while True:
            for part in parts:
                handler.wfile.write(part)
                time.sleep(pause)
            if not endless:
                return

    return answer


def test_a_result_has_the_validators_for_the_next_fetch() -> None:
    result = fetch(
        reply(200, FEED, ETag='W/"a"', Last_Modified="yesterday-ish", Content_Type="text/xml")
    )

    assert (result.status, result.body, result.error) == (200, FEED, "")
    assert (result.etag, result.last_modified) == ('W/"a"', "yesterday-ish")
    assert result.content_type == "text/xml"


def test_the_conditions_are_sent_back_exactly_and_304_is_no_error() -> None:
    with serve({"/": reply(304, ETag='"b"')}) as server:
        result = fetch_one(server.url + "/", LIMITS, etag='W/"a"', last_modified="yesterday-ish")
        _, _, headers = server.requests[0]

    assert headers["if-none-match"] == 'W/"a"'
    assert headers["if-modified-since"] == "yesterday-ish"
    assert (result.not_modified, result.error, result.etag) == (True, "", '"b"')


def test_requests_identify_the_product() -> None:
    limits = replace(LIMITS, contact_url="https://news.example/bot", sender="op@news.example")

    with serve({"/": reply(200, FEED)}) as server:
        fetch_one(server.url + "/", limits)
        _, _, headers = server.requests[0]

    assert headers["user-agent"] == "AINews/1.0 (+https://news.example/bot)"
    assert headers["from"] == "op@news.example"


COMPRESSIONS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda body: brotli.compress(body, quality=1),
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_each_compression_is_decoded(name: str) -> None:
    body = FEED * 20_000

    result = fetch(reply(200, COMPRESSIONS[name](body), Content_Encoding=name))

    assert result.body == body


def test_raw_deflate_is_decoded() -> None:
    squeezed = zlib.compress(FEED)[2:-4]

    assert fetch(reply(200, squeezed, Content_Encoding="deflate")).body == FEED


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_a_decompression_bomb_stops_at_the_limit(name: str) -> None:
    bomb = COMPRESSIONS[name](b"\0" * 60_000_000)
    with serve({"/": reply(200, bomb, Content_Encoding=name)}) as server:
        tracemalloc.start()
        result = fetch_one(server.url + "/", LIMITS)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert "the limit of 1 MiB" in result.error
    assert result.body == b""
    assert peak < 20_000_000


def test_a_bomb_within_a_bomb_stops_too() -> None:
    bomb = gzip.compress(gzip.compress(b"\0" * 60_000_000))

    assert "exceeds the limit" in fetch(reply(200, bomb, Content_Encoding="gzip, gzip")).error


def test_an_unknown_or_damaged_compression_is_explained() -> None:
    assert (
        "unsupported compression: rot13" in fetch(reply(200, FEED, Content_Encoding="rot13")).error
    )
    assert "corrupt gzip" in fetch(reply(200, FEED, Content_Encoding="gzip")).error


def test_a_host_that_does_not_answer_is_not_tried_repeatedly() -> None:
    limits = replace(LIMITS, timeout=0.3, connect_timeout=0.3)
    with serve({"/": stream(b"x", pause=0.1, endless=True)}) as server:
        requests = [FetchRequest(n, server.url + "/") for n in range(30)]
        started = time.monotonic()
        results = fetch_many(requests, limits)
    assert time.monotonic() - started < 3
    assert all("within 0.3 seconds" in result.error for result in results)
    assert {result.source_id for result in results} == set(range(30))


def test_a_gzip_file_of_two_members_is_read() -> None:
    both = gzip.compress(FEED[:40]) + gzip.compress(FEED[40:])
    assert fetch(reply(200, both, Content_Encoding="gzip")).body == FEED


def test_a_zstd_body_of_several_frames_is_read_whatever_size_they_declare() -> None:
    streamed = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    unsized = streamed.compress(FEED * 9_000) + streamed.flush()
    skippable = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"
    checked = zstandard.ZstdCompressor(write_checksum=True).compress(FEED)

    result = fetch(reply(200, unsized + skippable + checked, Content_Encoding="zstd"))

    assert (result.error, result.body) == ("", FEED * 9_001)


# Text that hardly compresses, so that a truncated body can be partly decompressed.
LONG = b"<rss><channel>" + random.Random(1).randbytes(50_000).hex().encode() + b"</channel></rss>"
WHOLE = {
    name: squeeze(LONG)
    for name, squeeze in COMPRESSIONS.items()
} | {
    "raw deflate": zlib.compress(LONG)[2:-4],
    "zstd of unknown size": zstandard.ZstdCompressor(write_content_size=False)
    .stream_reader(LONG, size=-1)
    .read(),
    "zstd with a checksum": zstandard.ZstdCompressor(write_checksum=True).compress(LONG),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("part", [0.0, 0.00004, 0.0002, 0.1, 0.5, 0.9, 0.999, "all but a byte"])
def test_a_truncated_compressed_body_is_refused(name: str, part: float | str) -> None:
    whole = WHOLE[name]
    cut = len(whole) - 1 if isinstance(part, str) else int(len(whole) * part)
    encoding = "deflate" if "deflate" in name else name.partition(" ")[0]

    answer = reply(200, whole[:cut], Content_Encoding=encoding)

    assert fetch(reply(200, whole, Content_Encoding=encoding)).body == LONG
    result = fetch(answer)
    assert f"{encoding} body is truncated" in result.error
    assert result.body == b""


def test_many_layers_of_compression_are_refused() -> None:
    body = FEED
    for _ in range(4):
        body = gzip.compress(body)

    assert "compressed 4 times" in fetch(reply(200, body, Content_Encoding="gzip," * 4)).error


def test_an_endless_body_stops_at_the_limit() -> None:
    result = fetch(stream(b"x" * 100_000, endless=True))

    assert "the limit of 1 MiB" in result.error


def test_a_body_that_announces_two_gigabytes_is_not_read() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "2000000000")
        handler.end_headers()
        handler.close_connection = True

    assert "exceeds the limit" in fetch(answer).error


def test_a_slow_server_is_given_up_after_the_time_out() -> None:
    started = time.monotonic()

    result = fetch(stream(b"x", pause=0.1, endless=True), replace(LIMITS, timeout=0.5))

    assert result.error == "No complete response within 0.5 seconds."
    assert time.monotonic() - started < 2


def test_an_invalid_response_is_explained() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        handler.close_connection = True

    assert "invalid response" in fetch(answer).error


def test_a_redirect_is_followed_and_permanent_only_when_every_hop_is() -> None:
    routes = {
        "/": redirect("/a", 301),
        "/a": redirect("/end", 308),
        "/mixed": redirect("/b", 301),
        "/b": redirect("/end", 302),
        "/end": reply(200, FEED),
    }
    with serve(routes) as server:
        moved = fetch_one(server.url + "/", LIMITS)
        mixed = fetch_one(server.url + "/mixed", LIMITS)

        assert moved.final_url == moved.permanent_url == server.url + "/end"
        assert (mixed.final_url, mixed.permanent_url) == (server.url + "/end", "")


def test_a_redirect_loop_and_a_long_chain_are_explained() -> None:
    chain = {f"/{n}": redirect(f"/{n + 1}") for n in range(10)}
    with serve({"/": redirect("/other"), "/other": redirect("/"), **chain}) as server:
        assert fetch_one(server.url + "/", LIMITS).error == "The address redirects in a loop."
        assert "more than 5 times" in fetch_one(server.url + "/0", LIMITS).error
        assert len(server.requests) == 2 + 6


@pytest.mark.parametrize("target", ["http://[", "http://127.0.0.1:0x/", "//", "javascript:x"])
def test_a_redirect_to_an_invalid_address_is_explained(target: str) -> None:
    error = fetch(redirect(target)).error

    assert error.endswith(".")
    assert error != "The response could not be processed."


def test_a_redirect_into_this_machine_is_refused() -> None:
    with serve({"/": reply(200, b"secret")}) as inner:
        host, port = "127.0.0.1", inner.server_port
        with serve({"/": redirect(f"http://{host}:{port}/")}) as outer:
            guard = Guard.of([f"{host}:{outer.server_port}"], [port])
            result = fetch_one(outer.url + "/", replace(LIMITS, guard=guard))

        assert "private address" in result.error
        assert result.body == b""
        assert inner.requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1"])
def test_this_machine_is_refused_however_it_is_written(host: str) -> None:
    result = fetch_one(f"http://{host}/", replace(LIMITS, guard=Guard()))

    assert "private address" in result.error


def test_a_host_header_and_the_checked_address_go_together() -> None:
    with serve({"/": reply(200, FEED)}) as server:
        url = f"http://localhost:{server.server_port}/"
        result = fetch_one(url, replace(LIMITS, guard=Guard.of(["127.0.0.0/8", "::1"])))
        _, _, headers = server.requests[0]

    assert result.body == FEED
    assert headers["host"] == f"localhost:{server.server_port}"


def test_unknown_names_and_closed_ports_are_distinguished() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        refused = fetch_one(f"http://127.0.0.1:{closed.getsockname()[1]}/", LIMITS)
    unknown = fetch_one("http://no-such-host.invalid/", LIMITS)

    assert "refused the connection" in refused.error
    assert "no-such-host.invalid was not found" in unknown.error


def test_plain_text_in_place_of_tls_is_explained() -> None:
    with serve({"/": reply(200, FEED)}) as server:
        result = fetch_one(server.url.replace("http:", "https:") + "/", LIMITS)

    assert "TLS connection" in result.error


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "requires a password"),
        (403, "denied access"),
        (404, "no longer exists at this address"),
        (410, "permanently removed this feed"),
        (418, "did not return the feed (418)"),
        (429, "limiting how often"),
        (500, "reported an error (500)"),
        (503, "overloaded"),
    ],
)
def test_each_status_is_a_sentence(status: int, words: str) -> None:
    result = fetch(reply(status, b"<h1>no</h1>"))

    assert words in result.error
    assert result.status == status


def test_a_page_that_blocks_bots_is_recognised() -> None:
    page = b"<title>Just a moment...</title><script src=/cdn-cgi/challenge-platform/x></script>"

    squeezed = fetch(reply(403, gzip.compress(page), Content_Encoding="gzip"))

    assert "blocks automated requests" in fetch(reply(403, page)).error
    assert "blocks automated requests" in squeezed.error


def test_requested_waits_are_limited_to_a_day() -> None:
    result = fetch(
        reply(200, FEED, Cache_Control="public, max-age=31536000", Retry_After="9999999999")
    )
    dated = fetch(reply(200, FEED, Expires="Fri, 01 Jan 2100 00:00:00 GMT"))
    odd = fetch(reply(200, FEED, Expires="-1", Retry_After="soon", Cache_Control="max-age=x"))

    assert (result.max_age, result.retry_after) == (86_400, 86_400)
    assert dated.max_age == 86_400
    assert (odd.max_age, odd.retry_after) == (None, None)


def test_requests_to_one_host_are_sequential_with_a_pause() -> None:
    routes = {f"/{n}": stream(FEED, pause=0.05) for n in range(4)}
    with serve(routes) as server:
        limits = replace(LIMITS, guard=_AllowedButPublic.of(["127.0.0.1"]), host_pause=0.1)
        fetch_many([FetchRequest(n, f"{server.url}/{n}") for n in range(4)], limits)
        times = [at for at, _, _ in server.requests]

    assert server.most_busy == 1
    assert all(later - earlier > 0.1 for earlier, later in itertools.pairwise(times))


class _AllowedButPublic(Guard):
    """A guard that allows loopback and treats it like a public host."""

    def is_allowed(self, host: str, port: int, address: str = "") -> bool:
        return bool(address) and super().is_allowed(host, port, address)

    def check_url(self, url: str) -> None:
        pass


def test_after_a_429_the_other_feeds_of_a_public_host_are_not_requested() -> None:
    limits = replace(LIMITS, guard=_AllowedButPublic.of(["127.0.0.1"]), host_pause=0.01)
    with serve({"/0": reply(429, Retry_After="60")}) as server:
        results = fetch_many([FetchRequest(n, f"{server.url}/{n}") for n in range(5)], limits)

    assert len(server.requests) == 1
    assert {(result.source_id, result.status) for result in results} == {(n, 429) for n in range(5)}


def test_a_slow_host_delays_nobody_else() -> None:
    with serve({"/": stream(b"", pause=1.0)}) as slow, serve({"/": reply(200, FEED)}) as quick:

        async def first() -> str:
            requests = [FetchRequest(1, slow.url + "/"), FetchRequest(2, quick.url + "/")]
            async for result in fetch_all(requests, LIMITS):
                return result.url
            return ""

        started = time.monotonic()
        assert asyncio.run(first()).startswith(quick.url)
        assert time.monotonic() - started < 0.9


def test_large_bodies_take_turns_and_all_arrive() -> None:
    body = b"<rss>" + b"x" * 900_000 + b"</rss>"
    limits = replace(LIMITS, in_flight_bytes=3_000_000, concurrency=4)
    with serve({f"/{n}": reply(200, body) for n in range(12)}) as server:
        results = fetch_many([FetchRequest(n, f"{server.url}/{n}") for n in range(12)], limits)

    assert limits.large_at_once == 1
    assert [len(result.body) for result in results] == [len(body)] * 12


def test_many_hosts_of_every_kind_each_get_a_result() -> None:
    routes = {"/ok": reply(200, FEED), "/loop": redirect("/loop"), "/no": reply(500)}
    with serve(routes) as server:
        urls = [server.url + path for path in ("/ok", "/loop", "/no", "/none")]
        urls += ["http://10.0.0.1/", "nonsense", "http://[", "http://a\x00b/", ""]
        results = fetch_many([FetchRequest(n, url) for n, url in enumerate(urls)])

    assert sorted(result.source_id for result in results) == list(range(len(urls)))
    assert [result.url for result in results if not result.error] == [server.url + "/ok"]
    assert all(result.error.endswith(".") or not result.error for result in results)


def test_headers_beyond_ascii_are_ignored() -> None:
    odd = {"ETag": '"caf\xe9"', "Last_Modified": "\xe9", "Retry_After": "\xb2"}
    result = fetch(reply(200, FEED, **odd, Cache_Control="max-age=\xb2"))

    assert (result.error, result.body) == ("", FEED)
    assert (result.etag, result.last_modified) == ("", "")
    assert (result.retry_after, result.max_age) == (None, None)


def test_a_validator_that_cannot_be_sent_is_left_out() -> None:
    with serve({"/": reply(200, FEED)}) as server:
        result = fetch_one(server.url + "/", LIMITS, etag='"caf\xe9"', last_modified="\xe9")
    assert (result.error, result.body) == ("", FEED)
    assert "if-none-match" not in server.requests[0][2]
