"""Converts a document to valid UTF-8, whatever encoding it declares. Pure."""

import codecs
import re

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Without a BOM, the zero bytes around the first character, `<` or `{`, show the encoding.
_WIDE_STARTS = (
    (re.compile(rb"[<{]\0\0\0"), "utf-32-le"),
    (re.compile(rb"\0\0\0[<{]"), "utf-32-be"),
    (re.compile(rb"[<{]\0[^\0]\0"), "utf-16-le"),
    (re.compile(rb"\0[<{]\0[^\0]"), "utf-16-be"),
)
_HEADER_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]+)""", re.IGNORECASE)
# These encodings use only ASCII bytes, so a document in them is always valid UTF-8 as well.
_SEVEN_BIT = re.compile(r"iso-?2022|hz|utf-?7", re.IGNORECASE)
_DETECTION_SAMPLE = 65536


def to_utf8(body: bytes, content_type: str = "") -> tuple[bytes, str]:
    """Return `body` as UTF-8 without a BOM, and a sentence on a wrong encoding or "".

    The encoding is determined by, in this order: the BOM, wide characters, validity as UTF-8, the
    header, the XML declaration, and detection. Validity comes before the declarations, because
    text in another encoding is hardly ever valid UTF-8, and headers are often wrong.
    """
    for bom, name in _BOMS:
        if body.startswith(bom):
            return _recode(body[len(bom) :], name)
    for start, name in _WIDE_STARTS:
        if start.match(body):
            return _recode(body, name)
    named = _named_encodings(body, content_type)
    if not any(_SEVEN_BIT.match(name) for name in named) and _is_utf8(body):
        return body, ""
    return _try_all(body, named)


def _named_encodings(body: bytes, content_type: str) -> list[str]:
    names = _HEADER_CHARSET.findall(content_type)[:1]
    declared = _DECLARED.search(body[:1000])
    return names + ([declared.group(1).decode("ascii")] if declared else [])


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _recode(body: bytes, name: str) -> tuple[bytes, str]:
    text = body.decode(name, "replace")
    complaint = "Some characters could not be decoded." if "\ufffd" in text else ""
    return text.encode("utf-8", "replace"), complaint


def _try_all(body: bytes, named: list[str]) -> tuple[bytes, str]:
    for name in named:
        # Browsers read Latin-1 as Windows-1252, and authors write it as such.
        known = "cp1252" if name.lower() in ("iso-8859-1", "latin-1", "us-ascii") else name
        try:
            return body.decode(known).encode("utf-8"), ""
        except (LookupError, ValueError):
            continue
    return _detect(body, named)


def _detect(body: bytes, named: list[str]) -> tuple[bytes, str]:
    from charset_normalizer import from_bytes  # takes 15 ms, and few documents need it

    if body.count(b"\xff") + body.count(b"\xfe") == 0 and _is_mostly_utf8(body):
        return _recode(body, "utf-8")
    best = from_bytes(body[:_DETECTION_SAMPLE]).best()
    name = best.encoding if best else "cp1252"
    problem = f"The declared encoding ({named[0]}) is wrong" if named else "No encoding is declared"
    return _recode(body, name)[0], f"{problem}; read as {name}."


def _is_mostly_utf8(body: bytes) -> bool:
    """Return True if few bytes are invalid, as in UTF-8 with pasted or truncated text."""
    sample = body[:_DETECTION_SAMPLE]
    broken = sample.decode("utf-8", "replace").count("\ufffd")
    multibyte = sum(1 for byte in sample if byte >= 0xC2)
    return broken * 20 < multibyte
