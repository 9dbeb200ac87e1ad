"""OPML files are read even if they are broken, and written so that others can read them."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.core.errors import ParseError
from feeds.sources.opml import Outline, read_opml, write_opml


def make_opml(body: str) -> bytes:
    head = "<head><title>Mine</title></head>"
    return f'<?xml version="1.0"?><opml version="2.0">{head}<body>{body}</body></opml>'.encode()


def test_nested_folders_become_paths() -> None:
    found = read_opml(
        make_opml(
            """<outline text="AI"><outline title="Labs"><outline text="One" type="rss"
            xmlUrl="https://one.example/feed" htmlUrl="https://one.example/"/></outline>
            <outline text="Two" xmlURL="feed://two.example/rss"/></outline>
            <outline text="R&D" xmlUrl="HTTPS://Three.example/Feed?a=1"/>"""
        )
    )

    assert found.title == "Mine"
    assert found.outlines == (
        Outline("https://one.example/feed", "One", "https://one.example/", ("AI", "Labs")),
        Outline("https://two.example/rss", "Two", "", ("AI",)),
        Outline("https://three.example/Feed?a=1", "R&D", "", ()),
    )
    assert found.problems == ()


def test_five_thousand_lines_with_duplicates_and_nonsense_are_read_and_reported() -> None:
    lines = []
    for number in range(1250):
        lines += [
            f'<outline text="F{number}" xmlUrl="https://{number}.example/feed"/>',
            f'<outline text="again" xmlUrl="https://{number}.EXAMPLE/feed"/>',
            f'<outline text="bad {number}" xmlUrl="javascript:{number}"/>',
            f'<outline text="nothing {number}"/>',
        ]
    started = time.process_time()

    found = read_opml(make_opml("\n".join(lines)))

    assert len(found.outlines) == 1250
    assert len(found.problems) == 3750
    assert ("javascript:7", "Not a web address.") in found.problems
    assert time.process_time() - started < 2


def test_broken_xml_is_recovered_and_reported() -> None:
    whole = make_opml("".join(f'<outline xmlUrl="https://{n}.example/"/>' for n in range(9)))

    found = read_opml(whole[:-40])

    assert len(found.outlines) >= 8
    assert "damaged" in found.problems[0][1]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"<rss/>",
        b'<!DOCTYPE opml [<!ENTITY a "b">]><opml><body><outline text="&a;"/></body></opml>',
    ],
)
def test_documents_other_than_opml_are_refused(data: bytes) -> None:
    with pytest.raises(ParseError):
        read_opml(data)


def test_deeply_nested_folders_are_read() -> None:
    deep = '<outline text="f">' * 3000 + '<outline xmlUrl="https://a.example/"/>'

    found = read_opml(make_opml(deep))

    assert all(len(outline.folder) <= 20 for outline in found.outlines)


WORDS = st.text(min_size=1, max_size=10).map(lambda text: "n" + text)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(WORDS, st.lists(WORDS, max_size=3)), max_size=8))
def test_a_written_file_can_be_read_again(feeds: list[tuple[str, list[str]]]) -> None:
    outlines = [
        Outline(f"https://{n}.example/feed?a=1&b=2", title, "https://x.example/", tuple(path))
        for n, (title, path) in enumerate(feeds)
    ]

    found = read_opml(write_opml("Mine", outlines))

    assert found.problems == ()
    assert {one.url for one in found.outlines} == {one.url for one in outlines}


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_raise_anything_but_a_parse_error(data: bytes, wrapped: bool) -> None:
    try:
        read_opml(b"<opml><body>" + data if wrapped else data)
    except ParseError as error:
        assert str(error)
