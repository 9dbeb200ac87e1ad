"""The sanitiser, element by element, and the plain text of HTML."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import html as lxml_html

from feeds.html.sanitise import (
    CLEANERS,
    MAX_HTML,
    _cleaner,
    first_image,
    plain_title,
    sanitise,
    text_of_clean,
    to_text,
)

# Listed independently of the product's tables.
BLOCKS = (
    "address article aside audio blockquote br caption dd details div dl dt figcaption figure"
    " footer h1 h2 h3 h4 h5 h6 header hr iframe li main nav ol p pre section summary table tbody"
    " td tfoot th thead tr ul video"
)
INLINE = (
    "a abbr b bdi bdo cite code col colgroup del dfn em i img ins kbd mark picture q rp rt ruby s"
    " samp small source span strong sub sup time track u var wbr"
)
# The parents that an element needs.
AROUND = {
    "caption": "<table>{}</table>",
    "colgroup": "<table>{}</table>",
    "col": "<table><colgroup>{}</colgroup></table>",
    "thead": "<table>{}</table>",
    "tbody": "<table>{}</table>",
    "tfoot": "<table>{}</table>",
    "tr": "<table>{}</table>",
    "td": "<table><tr>{}</tr></table>",
    "th": "<table><tr>{}</tr></table>",
}
ADDRESS = "https://outlet.example/x"
ATTRIBUTES = {
    "a": f'href="{ADDRESS}" hreflang="de"',
    "audio": f'src="{ADDRESS}"',
    "blockquote": f'cite="{ADDRESS}"',
    "col": 'span="2"',
    "colgroup": 'span="2"',
    "del": f'cite="{ADDRESS}" datetime="2026-03-01"',
    "img": f'src="{ADDRESS}" alt="a" width="3" height="4"',
    "ins": f'cite="{ADDRESS}" datetime="2026-03-01"',
    "ol": 'start="3" reversed=""',
    "q": f'cite="{ADDRESS}"',
    "source": f'src="{ADDRESS}" type="audio/mpeg"',
    "td": 'colspan="2" rowspan="3" headers="h"',
    "th": 'colspan="2" rowspan="3" headers="h" scope="col"',
    "time": 'datetime="2026-03-01"',
    "track": f'src="{ADDRESS}" kind="captions" srclang="en" label="l"',
    "video": f'src="{ADDRESS}" poster="{ADDRESS}" width="3" height="4"',
}
FORCED = {
    "a": {"rel": "noopener noreferrer nofollow"},
    "img": {"loading": "lazy", "decoding": "async", "referrerpolicy": "no-referrer"},
    "audio": {"controls": "", "preload": "none"},
    "video": {"controls": "", "preload": "none"},
}
UNSAFE = {"address", "iframe", "main", "nav"}
EVERYWHERE = 'title="t" lang="en" dir="rtl"'
ALLOWED = sorted({*BLOCKS.split(), *INLINE.split()} - UNSAFE)


def attributes_of(html: str, tag: str) -> dict[str, str]:
    [element] = lxml_html.fragment_fromstring(html, create_parent="main").iter(tag)
    return dict(element.items())


@pytest.mark.parametrize("tag", ALLOWED)
def test_allowed_elements_stay_with_their_allowed_attributes(tag: str) -> None:
    given = f"{ATTRIBUTES.get(tag, '')} {EVERYWHERE}".strip()
    harmful = 'style="x" class="x" id="x" onload="x" target="x" srcset="x" data-x="x"'
    element = f"<{tag} {given} {harmful}>" + (f"</{tag}>" if tag != "br" else "")

    safe = sanitise(AROUND.get(tag, "{}").format(element))

    expected = attributes_of(f"<{tag} {given}>", tag) if tag not in AROUND else None
    if expected is None:
        expected = attributes_of(AROUND[tag].format(f"<{tag} {given}></{tag}>"), tag)
    assert attributes_of(safe, tag) == expected | FORCED.get(tag, {})


@pytest.mark.parametrize(
    "tag", [*sorted(UNSAFE - {"iframe"}), "form", "button", "font", "center", "object", "x-own"]
)
def test_the_text_of_a_removed_element_stays(tag: str) -> None:
    assert sanitise(f"a<{tag}>b<i>c</i></{tag}>d") == "ab<i>c</i>d"


@pytest.mark.parametrize(
    "tag",
    ["script", "style", "noscript", "template", "title", "textarea", "select", "svg", "math"],
)
def test_elements_like_scripts_are_removed_with_their_text(tag: str) -> None:
    inner = "<option>b</option>" if tag == "select" else "b"

    assert sanitise(f"<p>a</p><{tag}>{inner}</{tag}><p>c</p>") == "<p>a</p><p>c</p>"
    assert to_text(f"<p>a</p><{tag}>{inner}</{tag}><p>c</p>") == "a\nc"


@pytest.mark.parametrize(
    ("address", "stays"),
    [
        ("https://a.example/", True),
        ("http://a.example/", True),
        ("mailto:a@a.example", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("ftp://a.example/", False),
        ("/relative", False),
    ],
)
def test_links_lead_to_the_web_and_to_mail(address: str, stays: bool) -> None:
    assert ("href=" in sanitise(f'<a href="{address}">x</a>')) is stays


def test_addresses_are_resolved_by_a_valid_base() -> None:
    html = '<a href="x">a</a>'

    assert 'href="https://b.example/c/x"' in sanitise(html, "https://b.example/c/d")
    assert "href" not in sanitise(html, "no address")
    assert "href" not in sanitise(html)
    # A bad base changes nothing else.
    assert sanitise('<p dir="rtl">a</p><nav>b</nav>', "no address") == '<p dir="rtl">a</p>b'


PLAYER = {
    "sandbox": "allow-scripts allow-same-origin allow-popups allow-presentation",
    "loading": "lazy",
    "referrerpolicy": "strict-origin-when-cross-origin",
    "allow": "fullscreen; picture-in-picture",
}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://www.youtube.com/embed/a-_9", "https://www.youtube-nocookie.com/embed/a-_9"),
        ("http://youtube.com/embed/a", "https://www.youtube-nocookie.com/embed/a"),
        ("//www.youtube-nocookie.com/embed/a?x#y", "https://www.youtube-nocookie.com/embed/a"),
        ("HTTPS://WWW.YouTube.com/embed/a/x\ny", "https://www.youtube-nocookie.com/embed/a"),
        (f"//youtube.com/embed/{'a' * 64}", f"https://www.youtube-nocookie.com/embed/{'a' * 64}"),
        ("https://player.vimeo.com/video/123?h=1", "https://player.vimeo.com/video/123?dnt=1"),
        ("//www.player.vimeo.com/video/1", "https://player.vimeo.com/video/1?dnt=1"),
        (
            f"//player.vimeo.com/video/{'1' * 20}",
            f"https://player.vimeo.com/video/{'1' * 20}?dnt=1",
        ),
        (f"//player.vimeo.com/video/{'1' * 21}", ""),
        (f"//youtube.com/embed/{'a' * 65}", ""),
        ("//youtube.com/embed/", ""),
        ("//youtube.com/watch/a", ""),
        ("//player.vimeo.com/video/a", ""),
        ("//youtube.com/embed/a.evil", ""),
        ("https://evil.example/?//youtube.com/embed/a", ""),
        ("ftp://youtube.com/embed/a", ""),
    ],
)
def test_a_frame_shows_a_player_without_tracking(given: str, shown: str) -> None:
    base = "https://outlet.example/"
    safe = sanitise(f'<p>a</p><iframe title="T" src="{given}" width="9"></iframe><p>b</p>', base)

    if not shown:
        assert safe == "<p>a</p><p>b</p>"
        return
    assert attributes_of(safe, "iframe") == {"title": "T", "src": shown, **PLAYER}
    assert safe.startswith("<p>a</p><iframe ") and safe.endswith("></iframe><p>b</p>")


def test_frames_in_capitals_without_an_end_or_without_an_address() -> None:
    player = "https://www.youtube.com/embed/a"

    assert sanitise(f'<IFRAME SRC="{player}"></IFRAME>').startswith("<iframe ")
    assert sanitise(f'<iframe src="{player}"><b>x</b>').endswith("></iframe>")
    assert sanitise("<iframe></iframe>a") == "a"
    assert sanitise("<IfRame src=x>a</iFrame>b") == "b"
    assert sanitise('<b title="&lt;iframe&gt;">a</b><iframe src="x"></iframe>') == (
        '<b title="&lt;iframe&gt;">a</b>'
    )
    assert sanitise(f'<iframe src="{player}"></iframe><iframe src="//x/"></iframe>b').endswith(
        "></iframe>b"
    )


@pytest.mark.parametrize(
    ("size", "stays"),
    [
        ('width="1" height="1"', False),
        ('width="0" height="1px"', False),
        ('height=" 1 " width=" 0px "', False),
        ('width="1"', True),
        ('width="2" height="1"', True),
        ('width="10" height="1"', True),
        ("", True),
    ],
)
def test_tracking_pixels_are_removed(size: str, stays: bool) -> None:
    assert ("<img" in sanitise(f'<p>a</p><img src="{ADDRESS}" {size}>')) is stays


def test_images_without_an_address_are_removed() -> None:
    assert sanitise('<img alt="a"><img alt=" src=&quot;x&quot;"><p>a</p>') == "<p>a</p>"
    assert sanitise("<img/>") == ""


def test_html_has_no_surrounding_space() -> None:
    assert sanitise("\n <p>a</p>\n") == "<p>a</p>"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a &amp; b\n", "a &amp; b"),
        ('a > "b"', 'a &gt; "b"'),
        ("a\nb", "<p>a\nb</p>"),
        ("a\n \n\nb\n\nc", "<p>a</p><p>b</p><p>c</p>"),
        ("", ""),
    ],
)
def test_plain_text_becomes_paragraphs(text: str, html: str) -> None:
    assert sanitise(text) == html


def test_the_length_of_html_is_limited() -> None:
    assert MAX_HTML == 2_000_000
    assert sanitise("a" * 2_000_001) == "a" * 2_000_000
    assert to_text("a" * 2_000_001) == "a" * 2_000_000


def test_characters_that_cannot_be_stored_are_removed() -> None:
    for read in (sanitise, to_text):
        assert read("a\0b\ud800c") == "abc"


@pytest.mark.parametrize("tag", BLOCKS.split())
def test_a_block_is_a_line_of_the_text(tag: str) -> None:
    assert text_of_clean(f'a<{tag} title="&gt;">b</{tag}>c') == "a\nb\nc"


@pytest.mark.parametrize("tag", sorted(set(BLOCKS.split()) - {"br", "hr", "table"} - AROUND.keys()))
def test_a_block_of_any_html_is_a_line_of_its_text(tag: str) -> None:
    assert to_text(f"<div>a<{tag}>b</{tag}>c</div>") == "a\nb\nc"


@pytest.mark.parametrize("tag", INLINE.split())
def test_inline_elements_do_not_split_words(tag: str) -> None:
    assert text_of_clean(f'a<{tag} title="&gt;">b</{tag}>c') == "abc"


def test_text_has_resolved_entities_and_normalised_space() -> None:
    assert text_of_clean("<p> a \t b&nbsp;c </p> <p></p>&lt;d&gt;") == "a b c\n<d>"


@example("a  b")
@given(st.text("a é \n\t\v\f\r\x1c\x1d\x1e\x1f\x85\u2028"))
def test_a_text_has_single_blanks_alone_whatever_it_had(text: str) -> None:
    lines = [" ".join(line.split()) for line in text.split("\n")]
    assert text_of_clean(text) == "\n".join(line for line in lines if line)
    assert to_text("a\n\n b") == "a\nb"
    assert to_text("<p>a</p><b>b</b><i>c</i>") == "a\nbc"


def test_the_first_picture_of_an_article_is_found() -> None:
    other = "https://outlet.example/other.png"
    picture = sanitise(f'<p>a</p><img alt="a" src="{ADDRESS}?a=1&amp;b=2"><img src="{other}">')

    assert first_image(picture) == f"{ADDRESS}?a=1&b=2"
    assert first_image("<p>a</p>") == ""
    assert first_image('<img alt="a">') == ""


TITLE_TAGS = (
    "a abbr b big br cite code del div em font h1 h2 h3 h4 h5 h6 i img ins kbd mark p q s small"
    " span strike strong sub sup tt u wbr"
)


@pytest.mark.parametrize("tag", TITLE_TAGS.split())
def test_markup_is_removed_from_titles(tag: str) -> None:
    assert plain_title(f'x<{tag} class="y">A</{tag.upper()}>z<{tag}/>') == "xAz"


@pytest.mark.parametrize(
    ("markup", "title"),
    [
        ("<script>x</script >A<STYLE>y\n</STYLE>B<script>z", "AB"),
        ("A <scripted> <h7> <bb>", "A <scripted> <h7> <bb>"),
        (f"<b {'x' * 1000}>A", "A"),
        (f"<b {'x' * 1001}>A", f"<b {'x' * 497}"),
        ("A &amp;lt;b&amp;gt;", "A &lt;b&gt;"),
        ("A\u200bB\u2028C\ufeffD\x7fE\x9fF\ud800G\x1fH", "A B C D E F G H"),
        ("  A \n B  ", "A B"),
        ("", ""),
        ("x" * 501, "x" * 500),
    ],
)
def test_a_title_is_one_line_of_plain_text(markup: str, title: str) -> None:
    assert plain_title(markup) == title


@pytest.mark.parametrize(
    ("markup", "title"),
    [
        ("Title\u202eedirrevo htiw", "Titleedirrevo htiw"),
        ("\u2067Lab\u2069 opens", "Lab opens"),
        ("in\u00advis\u2063ible", "invisible"),
        ("\u3164", ""),
        ("\u061c", ""),
        ("&#x3164; &#8206;", ""),
        ("\u200d\ufe0f", ""),
        ("\U000e0048\U000e0069", ""),
        (
            "\U0001f3f4\U000e0067\U000e0062\U000e007f wins",
            "\U0001f3f4\U000e0067\U000e0062\U000e007f wins",
        ),
        ("\U0001f469\u200d\U0001f52c writes", "\U0001f469\u200d\U0001f52c writes"),
        (
            "\u0646\u0645\u06cc\u200c\u062f\u0627\u0646\u0645",
            "\u0646\u0645\u06cc\u200c\u062f\u0627\u0646\u0645",
        ),
    ],
)
def test_a_title_has_no_invisible_or_reversing_characters(markup: str, title: str) -> None:
    assert plain_title(markup) == title


def test_the_length_of_a_title_is_limited() -> None:
    assert plain_title(f"{'<b>' * 6_666}ABC") == "AB"
    assert plain_title(f"{'&#32;' * 3_999}ABCDEFG") == "ABCDE"
    assert plain_title(f"{' ' * 4_998}ABC") == "AB"


def test_few_cleaners_are_cached_however_many_sites_there_are() -> None:
    for number in range(3 * CLEANERS):
        html = sanitise('<a href="page">x</a>', f"https://site{number}.example/")
        assert f"https://site{number}.example/page" in html

    assert _cleaner.cache_info().currsize <= CLEANERS
