"""Extracting the article from a page."""

from collections.abc import Iterator

import pytest

from feeds.core.errors import FeedError, LimitError
from feeds.core.sandbox import Sandbox, SandboxLimits
from feeds.ingest.fetch.client import Limits
from feeds.ingest.fetch.guard import Guard
from feeds.ingest.fulltext import extract_full_text
from feeds.ingest.parse.article import article_of
from tests.feeds.ingest.server import reply, serve

LIMITS = Limits(guard=Guard.of(["127.0.0.1"]), timeout=3)
PARAGRAPHS = "".join(
    f"<p>Paragraph {n} tells in many words how the laboratory trained its newest model on "
    f"{n} thousand machines, and what it learned from <a href='/paper'>the paper</a>.</p>"
    for n in range(6)
)
PAGE = f"""<!doctype html><html><head><title>News</title></head><body>
<nav><a href="/">Home</a><a href="/about">About us</a></nav>
<article><h1>The newest model</h1>{PARAGRAPHS}<script>alert(1)</script>
<p onclick="alert(2)">The last paragraph is about café culture and nothing else at all.</p>
</article>
<footer>Copyright, cookies and imprint</footer></body></html>""".encode()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxLimits(cpu_seconds=3)) as made:
        yield made


def test_the_article_is_extracted_without_its_surroundings(sandbox: Sandbox) -> None:
    with serve({"/": reply(200, PAGE, Content_Type="text/html; charset=utf-8")}) as server:
        html = extract_full_text(server.url + "/", sandbox, LIMITS)

        assert "Paragraph 5 tells" in html
        assert "café culture" in html
        assert f'href="{server.url}/paper"' in html
    for unwanted in ("About us", "imprint", "script", "onclick", "alert"):
        assert unwanted not in html


def test_a_page_in_another_charset_is_read() -> None:
    body = PAGE.decode().encode("latin-1")

    assert "café culture" in article_of(body, "text/html; charset=iso-8859-1", "https://x.example/")


@pytest.mark.parametrize(
    "body", [b"", b"<html></html>", b"\0" * 1000, b"<div>" * 5_000, b"<p>" + b"x" * 1_000_000]
)
def test_a_page_without_an_article_gives_words_or_text_and_no_crash(body: bytes) -> None:
    try:
        article_of(body, "text/html", "https://x.example/")
    except FeedError as error:
        assert str(error).endswith(".")


def test_failures_to_get_a_page_are_explained(sandbox: Sandbox) -> None:
    routes = {"/pdf": reply(200, b"%PDF-1.7", Content_Type="application/pdf"), "/no": reply(404)}
    with serve(routes) as server:
        with pytest.raises(FeedError, match="not a web page but application/pdf"):
            extract_full_text(server.url + "/pdf", sandbox, LIMITS)
        with pytest.raises(FeedError, match="404"):
            extract_full_text(server.url + "/no", sandbox, LIMITS)
    with pytest.raises(FeedError, match="private address"):
        extract_full_text("http://127.0.0.1/", sandbox, Limits())


def test_a_page_that_costs_too_much_is_refused_and_the_next_one_is_read(sandbox: Sandbox) -> None:
    attributes = b" ".join(b"a%d" % number for number in range(200_000))
    routes = {
        "/bomb": reply(200, b"<html><body><a " + attributes + b">x</a>", Content_Type="text/html"),
        "/": reply(200, PAGE, Content_Type="text/html; charset=utf-8"),
    }
    with serve(routes) as server:
        with pytest.raises(LimitError, match=r"CPU time|took more than"):
            extract_full_text(server.url + "/bomb", sandbox, LIMITS)
        assert "Paragraph 5 tells" in extract_full_text(server.url + "/", sandbox, LIMITS)
