"""Cursor pagination and the parsing of query parameters. Pages are `{results, next}`, where `next`
is a URL or null."""

import base64
import binascii
from typing import Any
from urllib.parse import urlencode

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

PAGE = 50
MAX_PAGE = 200
NO_CURSOR = "Invalid cursor. Use `next` of the previous page."


def page_size(request: Request) -> int:
    """The parameter `limit`: PAGE by default, at most MAX_PAGE."""
    return max(1, min(number(request, "limit") or PAGE, MAX_PAGE))


def number(request: Request, name: str) -> int | None:
    """Parse a whole number; None if it is missing. Raises ValidationError."""
    text = request.query_params.get(name)
    if text in (None, ""):
        return None
    assert text is not None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ValidationError({name: f"{text[:40]!r} is not a whole number."})
    return int(text)


def flag(request: Request, name: str) -> bool:
    """Parse a boolean, which is False by default. Raises ValidationError."""
    text = request.query_params.get(name, "").lower()
    if text not in ("", "0", "1", "true", "false"):
        raise ValidationError({name: "Must be 1 or 0."})
    return text in ("1", "true")


def read_cursor(request: Request, parts: int) -> tuple[int, ...] | None:
    """Decode the cursor, which has `parts` numbers; None on the first page. Raises
    ValidationError."""
    text = request.query_params.get("cursor", "")
    if not text:
        return None
    try:
        values = base64.urlsafe_b64decode(text.encode()).decode().split(".")
        numbers = tuple(int(value) for value in values)
    except (ValueError, binascii.Error):
        numbers = ()
    if len(numbers) != parts or any(not 0 <= value < 2**62 for value in numbers):
        raise ValidationError({"cursor": NO_CURSOR})
    return numbers


def page(request: Request, results: Any, cursor: tuple[int, ...] | None) -> Response:
    """Build the response. `cursor` is the start of the next page, None on the last page."""
    following = next_url(request, cursor) if cursor is not None else None
    return Response({"next": following, "results": results})


def next_url(request: Request, cursor: tuple[int, ...]) -> str:
    """The URL of the page that starts at `cursor`."""
    text = ".".join(map(str, cursor))
    code = base64.urlsafe_b64encode(text.encode()).decode()
    query = request.query_params.dict() | {"cursor": code}
    return request.build_absolute_uri(f"{request.path}?{urlencode(query)}")
