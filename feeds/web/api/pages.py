"""Cursor pagination: `{results, next}`, where `next` is an address or null."""

import base64
import binascii
from typing import Any
from urllib.parse import urlencode

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

PAGE = 50
MOST = 200
NO_CURSOR = "Invalid cursor. Use `next` of the previous page."


def page_size(request: Request) -> int:
    """`?limit=`, 50 by default, at most 200."""
    return max(1, min(number(request, "limit") or PAGE, MOST))


def number(request: Request, name: str) -> int | None:
    """A whole number of the query; ValidationError, in words, for anything else."""
    text = request.query_params.get(name)
    if text in (None, ""):
        return None
    assert text is not None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ValidationError({name: f"{text[:40]!r} is not a whole number."})
    return int(text)


def flag(request: Request, name: str) -> bool:
    text = request.query_params.get(name, "").lower()
    if text not in ("", "0", "1", "true", "false"):
        raise ValidationError({name: "Must be 1 or 0."})
    return text in ("1", "true")


def read_cursor(request: Request, parts: int) -> tuple[int, ...] | None:
    """The numbers that the cursor of the page before carries."""
    text = request.query_params.get("cursor", "")
    if not text:
        return None
    try:
        values = base64.urlsafe_b64decode(text.encode()).decode().split(".")
        found = tuple(int(value) for value in values)
    except (ValueError, binascii.Error):
        found = ()
    if len(found) != parts or any(not 0 <= value < 2**62 for value in found):
        raise ValidationError({"cursor": NO_CURSOR})
    return found


def page(request: Request, results: Any, cursor: tuple[int, ...] | None) -> Response:
    """The answer; `cursor` is where the next page begins, None for the last."""
    following = next_address(request, cursor) if cursor is not None else None
    return Response({"next": following, "results": results})


def next_address(request: Request, cursor: tuple[int, ...]) -> str:
    """That of the page which begins at `cursor`."""
    text = ".".join(map(str, cursor))
    code = base64.urlsafe_b64encode(text.encode()).decode()
    query = request.query_params.dict() | {"cursor": code}
    return request.build_absolute_uri(f"{request.path}?{urlencode(query)}")
