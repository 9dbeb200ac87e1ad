"""Every feed format is parsed, and broken documents are recovered or rejected with a message."""

import json
import time
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from feeds.core.errors import ParseError
from feeds.ingest.clean.entries import clean_feed, plain_title
from feeds.ingest.parse.feed import parse_feed
from feeds.ingest.parse.tolerant import read_tolerantly

MAY = datetime(2026, 5, 21, 10, 30, tzinfo=UTC)


def make_rss(items: str, channel: str = "", attributes: str = "") -> bytes:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0" {attributes}><channel>'
        f"<title>Lab</title><link>https://lab.example/</link>{channel}{items}</channel></rss>"
    ).encode()


def test_rss_2_with_its_namespaces_is_read_whole() -> None:
    body = make_rss(
        """<item><guid isPermaLink="false">one</guid><link>https://lab.example/1</link>
        <title>One &amp;amp; two</title><dc:creator>Ada</dc:creator>
        <description>short</description><content:encoded><![CDATA[<p>long</p>]]></content:encoded>
        <pubDate>Thu, 21 May 2026 12:30:00 +0200</pubDate><category>LLM</category>
        <enclosure url="https://lab.example/a.mp3" type="audio/mpeg" length="12"/>
        <media:group><media:thumbnail url="https://lab.example/t.png"/></media:group>
        <comments>https://lab.example/1#c</comments></item>""",
        """<language>en-GB</language><ttl>90</ttl><skipHours><hour>3</hour><hour>24</hour></skipHours>
        <skipDays><day>Sunday</day></skipDays>""",
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/"'
        ' xmlns:content="http://purl.org/rss/1.0/modules/content/"',
    )

    feed = parse_feed(body)

    entry = feed.entries[0]
    assert (feed.kind, feed.title, feed.site_url) == ("rss", "Lab", "https://lab.example/")
    assert (feed.language, feed.ttl, feed.complaint) == ("en-GB", 5400, "")
    assert (feed.skip_hours, feed.skip_days) == ({3, 0}, {6})
    assert (entry.guid, entry.link, entry.title) == (
        "one",
        "https://lab.example/1",
        "One &amp; two",
    )
    assert (entry.author, entry.html, entry.summary_html) == ("Ada", "<p>long</p>", "short")
    assert (entry.published, entry.categories) == (MAY, ("LLM",))
    assert entry.enclosures[0].length == 12
    assert entry.image_url == "https://lab.example/t.png"
    assert entry.comments_url == "https://lab.example/1#c"


@pytest.mark.parametrize(
    ("namespace", "published"),
    [("http://www.w3.org/2005/Atom", "published"), ("http://purl.org/atom/ns#", "issued")],
)
def test_both_atoms_are_read(namespace: str, published: str) -> None:
    body = f"""<feed xmlns="{namespace}" xml:lang="de" xml:base="https://lab.example/blog/">
      <title type="text">A &lt; B</title><link rel="self" href="/feed"/><link href="https://lab.example/"/>
      <entry><id>tag:1</id><title>T</title><link rel="enclosure" href="/a.mp4" type="video/mp4"/>
      <link href="one.html"/><{published}>2026-05-21T10:30:00Z</{published}>
      <author><name>Ada</name><email>a@lab.example</email></author>
      <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Hi <b>you</b></p></div>
      </content></entry></feed>""".encode()

    feed = parse_feed(body)

    entry = feed.entries[0]
    assert (feed.kind, feed.title, feed.language) == ("atom", "A < B", "de")
    assert feed.site_url == "https://lab.example/"
    assert (entry.guid, entry.link, entry.author) == ("tag:1", "one.html", "Ada")
    assert (entry.published, entry.base_url) == (MAY, "https://lab.example/blog/")
    assert entry.html == "<div><p>Hi <b>you</b></p></div>"
    assert entry.enclosures[0].url == "/a.mp4"


def test_rdf_is_read() -> None:
    body = b"""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
      xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
      <channel rdf:about="https://lab.example/"><title>Lab</title></channel>
      <item rdf:about="https://lab.example/1"><title>T</title><link>https://lab.example/1</link>
      <dc:date>2026-05-21T12:30:00+02:00</dc:date></item></rdf:RDF>"""

    feed = parse_feed(body)

    assert (feed.title, feed.entries[0].guid) == ("Lab", "https://lab.example/1")
    assert feed.entries[0].published == MAY


def test_json_feed_is_read_and_wrong_types_count_as_missing() -> None:
    document = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Lab",
        "description": "when a <b and c> d",
        "items": [
            {
                "id": 7,
                "url": "https://lab.example/7",
                "title": "a < b",
                "content_text": "x < y",
                "date_published": "2026-05-21T10:30:00Z",
                "authors": [{"name": "Ada"}, {"name": "Bob"}],
                "tags": ["LLM", 3],
                "attachments": [{"url": "https://lab.example/a.mp3", "size_in_bytes": "12"}],
            },
            "nonsense",
            {"title": ["no"], "authors": "Ada", "tags": "x"},
        ],
    }

    feed = parse_feed(json.dumps(document).encode())

    first, second = feed.entries
    assert feed.description == "when a <b and c> d"
    assert (feed.kind, first.guid, first.title, first.html) == ("json", "7", "a &lt; b", "x &lt; y")
    assert (first.author, first.categories, first.published) == ("Ada, Bob", ("LLM",), MAY)
    assert (second.title, second.author, second.categories) == ("", "", ())


def test_feedburner_tells_the_original_link() -> None:
    body = make_rss(
        "<item><link>https://proxy.example/1</link>"
        "<f:origLink>https://lab.example/1</f:origLink></item>",
        attributes='xmlns:f="http://rssnamespace.org/feedburner/ext/1.0"',
    )

    assert parse_feed(body).entries[0].link == "https://lab.example/1"


def test_a_guid_that_is_an_address_serves_as_link() -> None:
    body = make_rss("<item><guid>https://lab.example/1</guid></item>")

    assert parse_feed(body).entries[0].link == "https://lab.example/1"


def test_html_entities_and_bare_ampersands_are_repaired_and_complained_of() -> None:
    feed = parse_feed(make_rss("<item><title>Caf&eacute; &nbsp;R&D \x0c\x00</title></item>"))

    assert feed.entries[0].title == "Café \xa0R&D"
    assert "repaired" in feed.complaint


def test_a_document_cut_in_the_middle_yields_what_was_whole() -> None:
    whole = make_rss("".join(f"<item><guid>{n}</guid><title>T{n}</title></item>" for n in range(9)))

    feed = parse_feed(whole[: whole.index(b"T7")])

    assert [entry.guid for entry in feed.entries][:7] == [str(n) for n in range(7)]
    assert "recovered" in feed.complaint


def test_a_broken_document_too_large_for_feedparser_is_saved_too() -> None:
    item = "<item><guid>{}</guid><description>" + "x" * 3000 + "</description></item>"
    whole = make_rss("".join(item.format(n) for n in range(1000)))

    feed = parse_feed(whole[:-50])

    assert len(feed.entries) == 1000


def test_a_web_page_is_named_as_such_with_its_feeds() -> None:
    page = b"""<!DOCTYPE html><html><head><link rel="alternate" type="application/rss+xml"
      href="/feed.xml"><link rel="alternate" hreflang="de" href="/de"></head><p>Hello & bye"""

    with pytest.raises(ParseError, match="web page") as caught:
        parse_feed(page, "text/html", "https://lab.example/blog/")

    assert caught.value.alternates == ("https://lab.example/feed.xml",)


@pytest.mark.parametrize(
    "doctype",
    [
        b'<!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>',
        b'<!DOCTYPE rss [<!-- <a --> <!ENTITY e "x">]>',
        b"""<!DOCTYPE rss [<!ATTLIST rss a CDATA "]><a"> <!ENTITY e "x">]>""",
        b'<!-- <rss> --><!doctype rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_declared_entities_are_refused(doctype: bytes) -> None:
    body = doctype + b"<rss><channel><item><title>&b;</title></item></channel></rss>"

    with pytest.raises(ParseError, match="entities"):
        parse_feed(body)
    with pytest.raises(ParseError, match="entities"):
        parse_feed(body.decode().encode("utf-16"))


def test_a_doctype_without_entities_is_no_harm() -> None:
    doctype = b'<!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "http://x.example/rss.dtd">'

    feed = parse_feed(doctype + b"<rss><channel><item><title>T</title></item></channel></rss>")

    assert feed.entries[0].title == "T"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("\ufeff<rss><channel><item><title>Zoë</title></item></channel></rss>".encode(), ""),
        ("<rss><channel><item><title>Zoë</title></item></channel></rss>".encode("utf-16"), ""),
        ("<rss><channel><item><title>Zoë</title></item></channel></rss>".encode("utf-16-le"), ""),
        (
            "<rss><channel><item><title>Zoë</title></item></channel></rss>".encode("latin-1"),
            "text/xml; charset=ISO-8859-1",
        ),
        (
            '<?xml version="1.0" encoding="windows-1252"?><rss><channel><item><title>Zoë</title>'
            "</item></channel></rss>".encode("cp1252"),
            "",
        ),
        (
            '<?xml version="1.0" encoding="iso-8859-1"?><rss><channel><item><title>Zoë</title>'
            "</item></channel></rss>".encode(),
            "text/xml; charset=iso-8859-1",
        ),
    ],
)
def test_encodings_are_found_by_bom_header_declaration_or_sight(
    body: bytes, content_type: str
) -> None:
    assert parse_feed(body, content_type).entries[0].title == "Zoë"


def test_a_wrong_encoding_is_detected_and_complained_of() -> None:
    text = "<rss><channel><item><title>Ещё одна новость о нейросетях</title></item></channel></rss>"
    body = b'<?xml version="1.0" encoding="utf-8"?>' + (text * 1).encode("cp1251")

    feed = parse_feed(body)

    assert len(feed.entries) == 1
    assert "encoding" in feed.complaint


def test_five_megabytes_in_one_line_are_read_in_time() -> None:
    started = time.process_time()

    feed = parse_feed(make_rss(f"<item><description>{'word ' * 1_000_000}</description></item>"))

    assert len(feed.entries[0].summary_html) > 4_900_000
    assert time.process_time() - started < 2


def test_an_entry_of_nothing_is_an_entry() -> None:
    feed = parse_feed(make_rss("<item/>"))

    assert len(feed.entries) == 1


@pytest.mark.parametrize("body", [b"", b"  \n", b"hello", b"{}", b"[1", b"<a/>", b"\0\0", b"<"])
def test_what_is_no_feed_is_refused_in_words(body: bytes) -> None:
    with pytest.raises(ParseError) as caught:
        parse_feed(body)

    assert str(caught.value).endswith(".")


PIECES = st.sampled_from(
    [b"<rss>", b"<item>", b"<title>", b"</item>", b"<![CDATA[", b"]]>", b"&nbsp;", b"&#0;", b"\0",
     b"<feed xmlns='http://www.w3.org/2005/Atom'>", b"<entry>", b"<link href='//['/>", b"{", b"[",
     b'"items":[', b"<pubDate>", b"9999-99-99", b"<!DOCTYPE ", b"<html>", b"\xff\xfe", b"\xe9",
     b"<entry xml:base='http://['><link href='//[x'/></entry>", b"<item><link>http://[</link></item>",
     b"<enclosure url='http://[' type='image'/>", b"<summary>&lt;img src='//['&gt;</summary>",
     b"</title>", b"</channel></rss>", b"</feed>", b"<guid>http://[</guid>", b"</entry>"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.lists(PIECES, max_size=25).map(b"".join)))
@example(b"[" * 100_000)
@example(b"<rss>" + b"<a>" * 100_000)
@example(b'{"items":[{"title":"\\ud800"}]}')
def test_no_bytes_raise_anything_but_a_parse_error_and_what_is_read_can_be_cleaned(
    body: bytes,
) -> None:
    try:
        feed = parse_feed(body, "text/xml", "https://lab.example/feed")
    except ParseError as error:
        assert str(error)
    else:
        assert feed.kind in ("rss", "atom", "json")
        assert clean_feed(feed, "https://lab.example/feed", trusts_guid=True, now=MAY)


def test_feedparser_is_never_given_the_name_of_a_file() -> None:
    assert read_tolerantly(b"/etc/passwd") is None


def test_sections_of_literal_text_that_never_end_take_linear_time() -> None:
    started = time.process_time()

    feed = parse_feed(make_rss("<item><title>a & b</title></item>" + "<![CDATA[" * 200_000))

    assert len(feed.entries) == 1
    assert time.process_time() - started < 3


def test_a_namespace_invented_for_rss_and_blank_lines_before_it_are_no_harm() -> None:
    feed = parse_feed(
        b'\n\n <?xml version="1.0"?><RSS xmlns="http://lab.example/ns"><Channel><Title>L</Title>'
        b"<Item><Title>T</Title><Link>/1</Link></Item></Channel></RSS>"
    )

    assert (feed.title, feed.entries[0].title, feed.entries[0].link) == ("L", "T", "/1")
    assert feed.complaint == ""


def test_no_entry_of_a_large_document_of_unbalanced_markup_is_lost() -> None:
    item = "<item><guid>{}</guid><description><p>a<br>b " + "x" * 900 + "</description></item>"

    feed = parse_feed(make_rss("".join(item.format(n) for n in range(600))))

    assert [entry.guid for entry in feed.entries] == [str(n) for n in range(600)]
    assert "600 entries were recovered" in feed.complaint


def test_entities_of_a_doctype_that_is_elsewhere_are_read() -> None:
    feed = parse_feed(
        b'<?xml version="1.0"?><!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN"'
        b' "http://my.netscape.com/publish/formats/rss-0.91.dtd">'
        b"<rss version='0.91'><channel><title>A</title><item><title>Caf&eacute;&nbsp;x</title>"
        b"<link>http://a.example/?a=1&copy;</link><description>b&nbsp;c</description></item>"
        b"</channel></rss>"
    )

    assert [plain_title(entry.title) for entry in feed.entries] == ["Café x"]
