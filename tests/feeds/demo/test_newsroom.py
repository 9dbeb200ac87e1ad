"""The sample newsroom: what it says, and how it behaves as a server."""

import ast
import re
import socket
import struct
import time
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPResponse
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

import feedparser
import pytest

from feeds.demo import catalogue_entries, outlets
from feeds.demo.edition import DAYS, make_edition
from feeds.demo.labels import HEADER, label_rows, write_labels
from feeds.demo.outlets import SAMPLE_NOTICE, Outlet
from feeds.demo.script import read_script
from feeds.demo.server import Newsroom

START = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
BY_SLUG = {outlet.slug: outlet for outlet in outlets()}
REAL_NAMES = re.findall(
    r"\S+",
    """
OpenAI ChatGPT GPT Anthropic Claude Google Gemini DeepMind Microsoft Copilot Meta Llama Mistral
Nvidia AMD Intel Amazon Apple Hugging xAI Grok DeepSeek Qwen Alibaba Baidu Tencent Tesla Samsung
TSMC Altman Musk Amodei Hassabis LeCun Hinton Reuters Bloomberg PyTorch TensorFlow LangChain vLLM
""",
)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def newsroom(clock):
    with Newsroom(clock=clock) as room:
        yield room


def get(
    room: Newsroom,
    path: str,
    outlet: Outlet | None = None,
    method: str = "GET",
    **headers: str,
) -> tuple[HTTPResponse, str]:
    """Asks for a path of an outlet, or of the newsroom itself."""
    connection = HTTPConnection(urlsplit(room.base_url).netloc, timeout=20)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    if outlet is not None:
        names["Host"] = f"{outlet.host}:{room.port}"
    connection.request(method, path, headers=names)
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response, body


def test_same_start_and_seed_give_the_same_edition():
    assert make_edition(START, 7) == make_edition(START, 7)
    assert make_edition(START, 7) != make_edition(START, 8)


def test_edition_is_as_large_as_promised():
    written = make_edition(START)
    tellings: dict[str, set[str]] = {}
    for article in written:
        tellings.setdefault(article.story, set()).add(article.outlet)
    events = [key for key in tellings if not key.startswith("single:")]

    assert len(outlets()) >= 24
    assert len(events) >= 45
    assert all(len(tellings[key]) >= 2 for key in events)
    assert len(tellings) - len(events) >= 150


def test_history_fills_the_thirty_days_before_the_start():
    past = [a.published for a in make_edition(START) if a.published <= START]

    assert min(past) >= START - timedelta(days=DAYS)
    assert all(any(d <= (START - p).days < d + 2 for p in past) for d in range(0, DAYS - 2, 2))


def test_only_held_back_tellings_lie_in_the_future():
    start = {id(t) for t in read_script() if t.revisions[0].when == "live"}
    later = [a for a in make_edition(START) if a.published > START]

    assert len(later) == len(start)


def test_a_held_back_article_appears_every_forty_seconds_at_first():
    moments = sorted(v.since for a in make_edition(START) for v in a.versions if v.since > START)

    assert all(b - a == timedelta(seconds=40) for a, b in pairwise(moments))
    assert moments[-1] - START > timedelta(minutes=40)


def test_every_path_is_unique_and_every_outlet_known():
    edition = make_edition(START)

    assert len({(article.outlet, article.path) for article in edition}) == len(edition)
    assert {article.outlet for article in edition} <= BY_SLUG.keys()


def test_every_telling_has_a_headline_and_a_text():
    for telling in read_script():
        for revision in telling.revisions:
            assert revision.title
            assert revision.paragraphs, revision.title


def test_corrections_come_after_what_they_correct():
    corrected = [article for article in make_edition(START) if len(article.versions) > 1]

    assert len(corrected) >= 5
    for article in corrected:
        assert all(a.since < b.since for a, b in pairwise(article.versions))


def test_syndicated_copies_are_verbatim():
    wire = {a.versions[0].paragraphs: a for a in make_edition(START) if a.outlet == "harbor-wire"}
    copies = [a for a in make_edition(START) if a.outlet in ("courier", "saltmarsh")]
    copies = [a for a in copies if a.versions[0].paragraphs in wire]

    assert len(copies) >= 10
    for copy in copies:
        original = wire[copy.versions[0].paragraphs]
        assert copy.versions[0].title == original.versions[0].title
        assert copy.story == original.story
        assert copy.published > original.published


def test_nothing_real_is_named():
    text = "\n".join(
        "\n".join([revision.title, *revision.paragraphs])
        for telling in read_script()
        for revision in telling.revisions
    )

    for name in REAL_NAMES:
        assert not re.search(rf"\b{name}\b", text), name


@pytest.mark.parametrize("outlet", [o for o in outlets() if o.oddity in ("", "moved", "page")])
def test_feed_parses_and_says_that_it_is_a_sample(newsroom, outlet):
    response, body = get(newsroom, outlet.feed_path, outlet)

    feed = feedparser.parse(body)

    assert response.status == 200
    assert not feed.bozo or outlet.format == "json"
    assert SAMPLE_NOTICE in body
    if outlet.format != "json":
        assert feed.entries
        assert "(sample)" in feed.feed.title


def test_broken_feed_is_malformed_but_holds_entries(newsroom):
    _, body = get(newsroom, "/feed.xml", BY_SLUG["cracked-bell"])

    feed = feedparser.parse(body)

    assert feed.bozo
    assert feed.entries


def test_slow_feed_takes_three_seconds(newsroom):
    before = time.monotonic()

    response, _ = get(newsroom, "/feed.xml", BY_SLUG["tortoise"])

    assert response.status == 200
    assert time.monotonic() - before >= 3


def test_dead_feed_answers_500(newsroom):
    response, _ = get(newsroom, "/feed.xml", BY_SLUG["silent-quay"])

    assert response.status == 500


def test_moved_feed_redirects_for_good(newsroom):
    outlet = BY_SLUG["moved-house"]

    response, _ = get(newsroom, outlet.listed_path, outlet)

    assert response.status == 301
    assert response.headers["Location"] == outlet.site(newsroom.port) + outlet.feed_path


def test_page_outlet_is_listed_by_a_page_that_names_its_feed(newsroom):
    outlet = BY_SLUG["front-door"]

    response, body = get(newsroom, outlet.listed_path, outlet)

    assert response.headers["Content-Type"].startswith("text/html")
    assert 'rel="alternate"' in body
    assert f'href="{outlet.feed_path}"' in body


def test_unchanged_feed_answers_304_to_either_validator(newsroom):
    outlet = BY_SLUG["thorne"]
    first, _ = get(newsroom, outlet.feed_path, outlet)

    by_tag, body = get(newsroom, outlet.feed_path, outlet, If_None_Match=first.headers["ETag"])
    date = first.headers["Last-Modified"]
    by_date, _ = get(newsroom, outlet.feed_path, outlet, If_Modified_Since=date)
    other, _ = get(newsroom, outlet.feed_path, outlet, If_None_Match='"else"')

    assert (by_tag.status, body) == (304, "")
    assert by_date.status == 304
    assert other.status == 200


def test_held_back_article_appears_when_its_time_has_come(newsroom, clock):
    edition = newsroom.published.edition
    held = min((a for a in edition if a.published > START), key=lambda a: a.published)
    outlet = BY_SLUG[held.outlet]
    before, _ = get(newsroom, held.path, outlet)
    etag = get(newsroom, outlet.feed_path, outlet)[0].headers["ETag"]

    clock.now = held.published

    page, _ = get(newsroom, held.path, outlet)
    feed, body = get(newsroom, outlet.feed_path, outlet, If_None_Match=etag)
    assert (before.status, page.status, feed.status) == (404, 200, 200)
    assert held.path in body


def test_every_article_page_shows_its_whole_text_and_the_notice(newsroom):
    for article in newsroom.published.edition[::25]:
        version = article.seen_at(START)
        if version is None:
            continue

        response, body = get(newsroom, article.path, BY_SLUG[article.outlet])

        assert response.status == 200
        assert SAMPLE_NOTICE in body
        assert all(text.split()[0] in body for text in version.paragraphs)


def test_pictures_of_a_feed_are_served_and_others_are_not(newsroom):
    wire = BY_SLUG["harbor-wire"]
    articles = feedparser.parse(get(newsroom, wire.feed_path, wire)[1]).entries
    pictures = {
        urlsplit(entry.link).path: re.findall(r'<img[^>]* src="([^"]+)"', entry.summary)
        for entry in articles
    }
    shown = {path: urls[0] for path, urls in pictures.items() if urls}

    assert len(articles) / 2 < len(shown) < len(articles)
    for path, url in list(shown.items())[:5]:
        response, picture = get(newsroom, urlsplit(url).path, wire)
        assert url == f"{wire.site(newsroom.port)}{path}.svg"
        assert (response.status, response.headers["Content-Type"]) == (200, "image/svg+xml")
        assert ElementTree.fromstring(picture).tag == "{http://www.w3.org/2000/svg}svg"
    assert get(newsroom, f"{(pictures.keys() - shown.keys()).pop()}.svg", wire)[0].status == 404


def test_head_sends_the_headers_alone(newsroom):
    response, body = get(newsroom, "/opml.xml", method="HEAD")

    assert int(response.headers["Content-Length"]) > 1000
    assert body == ""


def test_every_outlet_has_a_host_of_its_own(newsroom):
    response, body = get(newsroom, "/", BY_SLUG["pylon"])
    other, _ = get(newsroom, "/", Host=f"PYLON.LOCALHOST.:{newsroom.port}")

    assert response.status == other.status == 200
    assert "<b>The Pylon</b>" in body
    assert "http://pylon.localhost:" in get(newsroom, "/")[1]
    assert (
        get(newsroom, "/icon.svg", BY_SLUG["pylon"])[0].headers["Content-Type"] == "image/svg+xml"
    )


def test_addresses_of_earlier_releases_redirect_to_the_hosts(newsroom):
    article = next(a for a in newsroom.published.edition if a.published < START)
    outlet = BY_SLUG[article.outlet]

    feed, _ = get(newsroom, f"/{outlet.slug}{outlet.feed_path}")
    page, _ = get(newsroom, f"/{outlet.slug}{article.path}")

    assert feed.headers["Location"] == outlet.site(newsroom.port) + outlet.feed_path
    assert page.headers["Location"] == outlet.site(newsroom.port) + article.path
    assert (feed.status, page.status) == (301, 301)


def test_unknown_paths_answer_404(newsroom):
    assert get(newsroom, "/nobody/feed.xml")[0].status == 404
    for path in ("/nothing", "/nothing/at-all", "/999999999999/x", "/²/x", "/12/x/y"):
        assert get(newsroom, quote(path), BY_SLUG["thorne"])[0].status == 404


def test_opml_and_catalogue_list_every_outlet(newsroom):
    _, body = get(newsroom, "/opml.xml")

    entries = catalogue_entries(newsroom.port)

    assert len(entries) == len(outlets())
    for entry in entries:
        assert f'xmlUrl="{entry["url"]}"' in body
    assert body.count("<outline text=") == len({entry["pack"] for entry in entries})


def test_labels_match_the_edition(tmp_path):
    edition = make_edition(START)

    count = write_labels(tmp_path / "labels.tsv", edition, 8765)

    lines = (tmp_path / "labels.tsv").read_text().splitlines()
    assert lines[0] == "\t".join(HEADER)
    assert count == len(lines) - 1 == len(edition)
    assert all(len(line.split("\t")) == len(HEADER) for line in lines)
    rows = label_rows(edition, 8765)
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)


def test_only_the_command_knows_django():
    room = Path(__file__).parents[3] / "feeds" / "demo"
    imported = {
        name.partition(".")[0]
        for path in room.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [getattr(node, "module", None) or node.names[0].name]
    }

    assert "django" not in imported


def test_taken_port_is_said_in_one_sentence():
    from django.core.management import CommandError, call_command

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(CommandError, match="cannot listen"):
            call_command("demo_newsroom", port=taken.getsockname()[1])


def test_command_writes_the_labels(tmp_path):
    from django.core.management import call_command

    call_command("demo_newsroom", labels=tmp_path / "l.tsv", verbosity=0)

    assert (tmp_path / "l.tsv").stat().st_size > 10_000


def test_outlets_use_topics_that_the_product_knows():
    from feeds.core.topics import TOPICS

    known = {topic.slug for topic in TOPICS}

    assert {topic for outlet in outlets() for topic in outlet.topics} <= known


def test_a_client_that_resets_its_connection_leaves_no_traceback(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with Newsroom() as newsroom:
        client = socket.create_connection(("127.0.0.1", newsroom.port))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        time.sleep(0.3)  # until the server waits for a request
        client.close()  # sends a reset
        time.sleep(0.3)

    assert "Traceback" not in capfd.readouterr().err
