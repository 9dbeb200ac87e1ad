"""Documents that are small but expensive to parse, for tests of the limits."""

from collections.abc import Callable

MOST_BYTES = 15 * 1024 * 1024
HEAD, TAIL = b"<rss><channel><title>x</title>", b"</channel></rss>"


def rss(content: bytes) -> bytes:
    return HEAD + content + TAIL


def described(markup: bytes) -> bytes:
    return rss(b"<item><guid>1</guid><description><![CDATA[" + markup + b"]]></description></item>")


def filled(unit: bytes, size: int = MOST_BYTES) -> bytes:
    return unit * ((size - 200) // len(unit))


def numbered(unit: str, count: int) -> bytes:
    return "".join(unit.format(number) for number in range(count)).encode()


FORMATTING = numbered("<b id={0}>", 390)
FEEDS: dict[str, Callable[[], bytes]] = {
    "a million entries": lambda: rss(filled(b"<item/>")),
    "entries with a title": lambda: rss(filled(b"<item><title>a</title></item>")),
    "entries that never end": lambda: HEAD + filled(b"<item>"),
    "entries in broken XML": lambda: HEAD + filled(b"<item><title>a<br></title></item>", 2_900_000),
    "half of a tag again and again": lambda: HEAD + filled(b"<item<", 2_900_000),
    "a million elements in an entry": lambda: rss(b"<item>" + filled(b"<a/>") + b"</item>"),
    "elements within elements": lambda: rss(b"<item>" + b"<a>" * 190_000 + b"</a>" * 190_000),
    "attributes of one element": lambda: rss(b"<item " + numbered("a{0}='' ", 1_200_000) + b"/>"),
    "attributes in broken XML": lambda: HEAD + b"<item " + numbered("a{0}='' ", 190_000) + b">&x;",
    "an attribute defined twice": lambda: rss(b"<item " + b"a='' " * 1_500_000 + b"/>"),
    "namespaces": lambda: rss(b"<item " + numbered("xmlns:a{0}='u' ", 800_000) + b"/>"),
    "a huge attribute": lambda: rss(b"<item a='" + b"x" * 14_000_000 + b"'/>"),
    "a huge name": lambda: rss(b"<item><" + b"x" * 14_000_000 + b"/></item>"),
    "enclosures": lambda: rss(b"<item>" + filled(b"<enclosure url='a'/>") + b"</item>"),
    "ampersands": lambda: rss(b"<item><title>" + filled(b"&") + b"</title></item>"),
    "references to no character": lambda: rss(b"<item>" + filled(b"&#0;") + b"</item>"),
    "less-than signs": lambda: rss(b"<item><title>" + filled(b"<") + b"</title></item>"),
    "comments in a DOCTYPE that never end": lambda: b"<!DOCTYPE rss [" + filled(b"<!--"),
    "instructions in a DOCTYPE that never end": lambda: b"<!DOCTYPE rss [" + filled(b"<?"),
    "attributes by DOCTYPE": lambda: (
        b"<!DOCTYPE rss ["
        + numbered("<!ATTLIST a b{0} CDATA 'x'>", 5_000)
        + b"<!--"
        + HEAD
        + b"<a/>" * 100_000
    ),
    "blanks in broken XML": lambda: rss(b"<item>" + filled(b" ") + b"</item>&x;"),
    "declarations in broken XML": lambda: rss(b"<item/>" + filled(b"<?xml ", 1_900_000) + b"&x;"),
    "XHTML": lambda: (
        b"<feed xmlns='http://www.w3.org/2005/Atom'><entry><content type='xhtml'>"
        + b"<p>a</p>" * 199_000
        + b"</content></entry></feed>"
    ),
    "objects of JSON": lambda: b'{"items":[' + filled(b"{},") + b"{}]}",
    "lists within lists of JSON": lambda: b'{"items":' + b"[" * 190_000 + b"]" * 190_000 + b"}",
    "tags of JSON": lambda: b'{"items":[{"tags":[' + numbered('"{0}",', 1_500_000) + b'""]}]}',
    "a string of JSON that never ends": lambda: b'{"' + filled(b"\\,\\{"),
    "a page of links": lambda: b"<html>" + b"<link a " * 100_000,
    "a page with a tag of many attributes": lambda: b"<html><link " + numbered("a{0} ", 60_000),
    "HTML: attributes": lambda: described(b"<a " + numbered("a{0} ", 280_000) + b">x</a>") * 1,
    "HTML: attributes that hold an end": lambda: described(b"<a " + numbered("a{0}='>' ", 150_000)),
    "HTML: elements within elements": lambda: described(filled(b"<div>")),
    "HTML: depth hidden by comments": lambda: described(filled(b"<div><!--</div>-->", 1_800_000)),
    "HTML: depth hidden by tables": lambda: described(filled(b"<div><table></div></table>")),
    "HTML: formatting opened again": lambda: described(
        b"<p>" + FORMATTING + b"</p>" + filled(b"<p>x</p>", 1_900_000)
    ),
    "HTML: formatting hidden by objects": lambda: described(
        numbered("<b id={0}><object></b></object>", 390) + filled(b"<p>x</p>", 1_900_000)
    ),
    "HTML: short, with formatting": lambda: rss(
        b"".join(
            b"<item><guid>%d</guid><description><![CDATA[<p>%s</p>%s]]></description></item>"
            % (number, FORMATTING, b"<p>x</p>" * 800)
            for number in range(1_000)
        )
    ),
    "titles of markup": lambda: rss(
        filled(b"<item><title>" + b"&lt;b " * 4_000 + b"</title></item>")
    ),
}
LISTS: dict[str, Callable[[], bytes]] = {
    "a million outlines": lambda: opml(filled(b"<outline/>", 10_000_000)),
    "outlines that hold each other": lambda: opml(b"<outline text='a'>" * 190_000),
    "feeds": lambda: opml(numbered("<outline xmlUrl='http://a.example/{0}'/>", 190_000)),
    "addresses that are none": lambda: opml(numbered("<outline xmlUrl='x:{0}'/>", 190_000)),
    "attributes of an outline": lambda: opml(
        b"<outline " + numbered("A{0}='b' ", 199_000) + b"/>" + numbered("<outline a{0}='b'/>", 9)
    ),
    "titles": lambda: opml(filled(b"<title/>", 8_000_000)),
    "ampersands in a list": lambda: opml(filled(b"&", 9_000_000)),
}


def opml(content: bytes) -> bytes:
    return b"<opml version='2.0'><body>" + content + b"</body></opml>"
