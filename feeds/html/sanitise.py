"""Sanitises untrusted HTML, and converts it to plain text. Pure."""

import re
from functools import lru_cache
from html import escape, unescape
from typing import Any

import nh3

from feeds.html.limits import within_limits

_BLOCK_NAMES = (
    "p div br hr h1 h2 h3 h4 h5 h6 ul ol li dl dt dd table thead tbody tfoot tr td th caption"
    " pre blockquote figure figcaption section article aside header footer details summary"
    " audio video iframe address main nav"
)
_INLINE_NAMES = (
    "a abbr b bdi bdo cite code del dfn em i img ins kbd mark q rp rt ruby s samp small span"
    " strong sub sup time u var wbr picture source track col colgroup"
)
_BLOCKS = frozenset(_BLOCK_NAMES.split())
_INLINE = frozenset(_INLINE_NAMES.split())
_TAGS = set((_BLOCKS | _INLINE) - {"iframe"} - {"main", "nav", "address"})
# These are removed with their text. Of other elements that are not allowed, the text stays.
_DROPPED = {"script", "style", "noscript", "template", "title", "textarea", "select", "svg", "math"}
_ATTRIBUTES: dict[str, set[str]] = {
    "*": {"title", "lang", "dir"},
    "a": {"href", "hreflang"},
    "abbr": {"title"},
    "audio": {"src"},
    "blockquote": {"cite"},
    "col": {"span"},
    "colgroup": {"span"},
    "del": {"cite", "datetime"},
    "img": {"src", "alt", "width", "height"},
    "ins": {"cite", "datetime"},
    "ol": {"start", "reversed"},
    "q": {"cite"},
    "source": {"src", "type"},
    "td": {"colspan", "rowspan", "headers"},
    "th": {"colspan", "rowspan", "headers", "scope"},
    "time": {"datetime"},
    "track": {"src", "kind", "srclang", "label"},
    "video": {"src", "poster", "width", "height"},
}
_FORCED = {
    "img": {"loading": "lazy", "decoding": "async", "referrerpolicy": "no-referrer"},
    "audio": {"controls": "", "preload": "none"},
    "video": {"controls": "", "preload": "none"},
    "iframe": {
        "sandbox": "allow-scripts allow-same-origin allow-popups allow-presentation",
        "loading": "lazy",
        "referrerpolicy": "strict-origin-when-cross-origin",
        "allow": "fullscreen; picture-in-picture",
    },
}
_PLAYER = re.compile(
    r"(?:https?:)?//(?:www\.)?(?:youtube(?:-nocookie)?\.com/embed/(?P<youtube>[\w-]{1,64})"
    r"|player\.vimeo\.com/video/(?P<vimeo>\d{1,20}))(?:[?#/].*)?\Z",
    re.IGNORECASE | re.DOTALL,
)
# nh3 quotes all attributes and escapes quotes in values. So these patterns can neither end inside
# a value nor begin inside one.
_IMAGE = re.compile(r'<img((?: [\w-]+="[^"]*")*)>')
_ATTRIBUTE = r'(?: [\w-]+="[^"]*")*'
# A parser treats the content of an iframe as raw text. Other tags are matched as a whole, because
# one of their values may contain "<iframe>".
_FRAME_OR_TAG = re.compile(
    rf"<iframe(?P<frame>{_ATTRIBUTE})>.*?(?:</iframe>|\Z)|</?[a-z][a-z0-9]*{_ATTRIBUTE}>", re.DOTALL
)
_BLOCK_TAG = re.compile(rf"</?(?:{_BLOCK_NAMES.replace(' ', '|')}){_ATTRIBUTE}>")
_TAG = re.compile(rf"</?[a-z][a-z0-9]*{_ATTRIBUTE}>")
_PIXEL = re.compile(r' (?:width|height)="\s*[01](?:px)?\s*"')
_SOURCE = re.compile(r' src="([^"]+)"')
_PARAGRAPHS = re.compile(r"\n\s*\n")
# Only known tags, because a title may contain `Vec<T>` or `a < b`.
_TITLE_MARKUP = re.compile(
    r"</?(?:a|abbr|b|big|br|cite|code|del|div|em|font|h[1-6]|i|img|ins|kbd|mark|p|q|s|small"
    r"|span|strike|strong|sub|sup|tt|u|wbr)(?:\s[^<>]{0,1000})?/?>",
    re.IGNORECASE,
)
_SCRIPT = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b\u2028\u2029\ufeff\ud800-\udfff]+")
_FORMATS = re.compile(
    r"(\U0001f3f4[\U000e0061-\U000e007a]+\U000e007f)"  # the flags of England, Scotland and Wales
    r"|[\xad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u202a-\u202e\u2060-\u206f\u3164\uffa0"
    r"\ufff9-\ufffb\U000e0000-\U000e0fff]+"
)
"""Characters that show nothing, or that turn the direction of what follows."""
_JOINERS = re.compile(r"[\u034f\u200c-\u200f\u2800\ufe00-\ufe0f\s]*")
"""Characters that have a meaning between others, and show nothing alone."""
_RARE_BLANKS = ("  ", *"\t\v\f\r\x1c\x1d\x1e\x1f")
_MAX_TITLE = 500
MAX_HTML = 2_000_000
"""Maximum number of characters that are read."""
CLEANERS = 16
"""Cleaners that are cached, one for each base URL. Most feeds have one.

Each takes 22 KiB of memory, and 33 µs to make."""


def sanitise(html: str, base_url: str = "") -> str:
    """Return `html` with only allowed elements and attributes, and with absolute links.

    Scripts, styles, event handlers and forms are removed. Links get `rel="noopener noreferrer
    nofollow"`, images load lazily and without a referrer, tracking pixels are removed, and frames
    may show only YouTube and Vimeo, in a sandbox.
    """
    html = _bounded(html)
    if "<" not in html:
        return _paragraphs(html)
    has_frames = "<iframe" in html or "<IFRAME" in html
    clean = _cleaner(base_url, has_frames).clean(html)
    if "<img" in clean:
        clean = _IMAGE.sub(_keep_image, clean)
    if has_frames:
        clean = _FRAME_OR_TAG.sub(_keep_frame, clean)
    return clean.strip()


def _bounded(html: str) -> str:
    """Limit length and complexity, and remove characters that UTF-8 cannot encode."""
    html = html[:MAX_HTML].replace("\0", "")
    if not html.isascii():
        html = html.encode("utf-8", "ignore").decode()
    return within_limits(html)


def _paragraphs(text: str) -> str:
    """Convert plain text, which may contain entities, to HTML with its paragraphs."""
    text = escape(unescape(text).strip(), quote=False)
    if "\n" not in text:
        return text
    return "".join(f"<p>{part}</p>" for part in _PARAGRAPHS.split(text) if part)


@lru_cache(maxsize=CLEANERS)
def _cleaner(base_url: str, has_frames: bool) -> nh3.Cleaner:
    attributes = {**_ATTRIBUTES, "iframe": {"src", "title"}} if has_frames else _ATTRIBUTES
    forced = {tag: values for tag, values in _FORCED.items() if has_frames or tag != "iframe"}
    options: dict[str, Any] = {
        "tags": _TAGS | {"iframe"} if has_frames else _TAGS,
        "clean_content_tags": _DROPPED if has_frames else _DROPPED | {"iframe"},
        "attributes": attributes,
        "set_tag_attribute_values": forced,
        "link_rel": "noopener noreferrer nofollow",
        "url_schemes": {"http", "https", "mailto"},
    }
    relative: Any = ("rewrite_with_base", base_url) if base_url else "deny"
    try:
        return nh3.Cleaner(**options, url_relative=relative)
    except ValueError:  # the base URL is invalid
        return nh3.Cleaner(**options, url_relative="deny")


def _keep_image(match: re.Match[str]) -> str:
    attributes = match.group(1)
    if ' src="' not in attributes or len(_PIXEL.findall(attributes)) == 2:
        return ""
    return match.group()


def _keep_frame(match: re.Match[str]) -> str:
    attributes = match["frame"]
    if attributes is None:
        return match.group()
    source = _SOURCE.search(attributes)
    player = _PLAYER.match(source.group(1)) if source else None
    if not source or not player:
        return ""
    if player["youtube"]:
        address = f"https://www.youtube-nocookie.com/embed/{player['youtube']}"
    else:
        address = f"https://player.vimeo.com/video/{player['vimeo']}?dnt=1"
    attributes = attributes.replace(source.group(), f' src="{address}"', 1)
    return f"<iframe{attributes}></iframe>"


def first_image(clean_html: str) -> str:
    """Return the address of the first image in sanitised HTML, or ""."""
    match = _IMAGE.search(clean_html)
    source = _SOURCE.search(match.group(1)) if match else None
    return unescape(source.group(1)) if source else ""


@lru_cache(maxsize=1)
def _text_cleaner() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=set(_BLOCKS), clean_content_tags=_DROPPED | {"iframe"} - _BLOCKS, attributes={}
    )


def to_text(html: str) -> str:
    """Return the plain text of any HTML, with one line per block and with entities resolved."""
    html = _bounded(html)
    if "<" in html:
        html = _text_cleaner().clean(html)
    return text_of_clean(html)


def text_of_clean(html: str) -> str:
    """Do the same faster, for HTML that `sanitise` returned."""
    text = unescape(_TAG.sub("", _BLOCK_TAG.sub("\n", html)))
    lines = text.split("\n")
    if _has_single_blanks(text):
        lines = [line.strip() for line in lines]
    else:
        lines = [" ".join(line.split()) for line in lines]
    return "\n".join(filter(None, lines))


def _has_single_blanks(text: str) -> bool:
    """Return True if `text` surely has no blanks but line feeds and single spaces.

    This is usual, and searching is faster than splitting.
    """
    return text.isascii() and not any(map(text.__contains__, _RARE_BLANKS))


def plain_title(markup: str) -> str:
    """Return a title without markup, entities and line breaks, of at most 500 characters.

    It has no invisible characters, and none that turn the direction of text. It is "" if nothing
    of it would be seen.
    """
    if "<" in markup:
        markup = _TITLE_MARKUP.sub("", _SCRIPT.sub("", markup[:20_000]))
    if "&" in markup:
        markup = unescape(markup[:20_000])
    text = _CONTROLS.sub(" ", markup[:5_000])
    if not text.isascii():
        text = _FORMATS.sub(r"\1", text)
        if _JOINERS.fullmatch(text):
            return ""
    return " ".join(text.split())[:_MAX_TITLE]
