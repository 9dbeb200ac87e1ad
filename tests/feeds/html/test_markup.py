"""HTML is stored only if it contains more than its plain text."""

import re
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.html.markup import html_to_store, plain_html
from feeds.html.sanitise import sanitise, text_of_clean


@pytest.mark.parametrize(
    "html",
    [
        "Plain words &amp; an ampersand",
        "<p>One</p><p>Two</p>",
        "<p>One</p>\n  <p>Two &lt;3</p>",
        "",
    ],
)
def test_html_that_equals_its_text_is_not_stored(html: str) -> None:
    text = text_of_clean(html)
    assert html_to_store(html, text) == ""
    assert text_of_clean(plain_html(text)) == text


@pytest.mark.parametrize(
    "html",
    [
        '<p>A <a href="https://a.example/">link</a></p>',
        "<p>One <b>bold</b> word</p>",
        '<img src="https://a.example/a.png">',
        "One<br>Two",
        "<ul><li>One</li></ul>",
        "<p>One</p>Two",
    ],
)
def test_other_html_is_stored(html: str) -> None:
    assert html_to_store(html, text_of_clean(html)) == html


@given(st.text(alphabet=st.sampled_from("ab &;<>/p\n\"'é"), max_size=40))
def test_nothing_is_lost_and_nothing_becomes_markup(raw: str) -> None:
    html = sanitise(raw)
    text = text_of_clean(html)
    shown = html_to_store(html, text) or plain_html(text)
    assert text_of_clean(shown) == text
    framed = f"<div>{shown}</div>"
    assert sanitise(framed) == framed


@given(
    st.lists(
        st.sampled_from(["<p>", "</p>", "\n", " ", "a", "&amp;", "&lt;", "<br>", "<b>", "</b>"]),
        max_size=12,
    )
)
def test_html_is_left_out_just_if_it_equals_its_text(parts: list[str]) -> None:
    html = "".join(parts)
    text = text_of_clean(html)
    is_bare = html == escape(text, quote=False) and "\n" not in text
    is_plain = re.sub(r">\s+<", "><", html) == plain_html(text)

    assert html_to_store(html, text) == ("" if is_bare or is_plain else html)
