"""Rejects text that cannot be stored: NUL characters, and halves of surrogate pairs.

PostgreSQL cannot store NUL, and UTF-8 has no surrogates. But JSON, addresses, forms and cookies can
contain both. Such a request gets a response 400 before any view. So does JSON that is nested deeper
than any request of the API.
"""

import codecs
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import IO, Any

from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.http import (
    HttpRequest,
    HttpResponse,
    QueryDict,
    UnreadablePostError,
    parse_cookie,
)
from django.utils.http import parse_header_parameters
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from ainews_site.infra.problem_page import Problem, problem_response

UNFIT = (
    "The request contains a character that cannot be stored: NUL, or half of a surrogate pair."
    " Remove it and try again."
)
MAX_DEPTH = 20
TOO_DEEP = f"The JSON is nested too deeply: the limit is {MAX_DEPTH} levels."
CHARSETS = {"utf-8", "utf-8-sig", "ascii", "iso8859-1", "iso8859-15", "cp1252"}
"""Names of allowed codecs. Others, such as `zlib`, do not decode to text."""
BAD_DATA = 4400
"""The close code of a socket, as in feeds.web.live.socket."""

_UNFIT = re.compile("[\0\ud800-\udfff]")
_ENCODED = re.compile("\0|\xed[\xa0-\xbf]|%00|%ed%[ab]", re.IGNORECASE)
"""The same as percent-encoded UTF-8, or as the bytes of UTF-8 read as Latin-1: after ED, only
surrogates have a byte from A0 to BF. Django replaces them by U+FFFD."""

Scope = dict[str, Any]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Any, Send], Awaitable[None]]


def is_unfit(text: str) -> bool:
    """Return True if `text` contains characters that cannot be stored."""
    return _UNFIT.search(text) is not None


class TextCheckMiddleware:
    """Checks addresses, cookies and forms. JsonParser checks JSON.

    It must stand before WhiteNoise, which looks for a file at the path.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return _refusal(request) if _is_head_unfit(request) else self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> HttpResponse | None:
        """Check the form. BodyLimitMiddleware has accepted the body by now."""
        return _refusal(request) if _is_form_unfit(request) else None


def _is_head_unfit(request: HttpRequest) -> bool:
    address = f"{request.META.get('PATH_INFO', '')}?{request.META.get('QUERY_STRING', '')}"
    cookies = request.META.get("HTTP_COOKIE", "")
    return _ENCODED.search(address) is not None or _has_unfit_cookie(cookies)


def _has_unfit_cookie(header: str) -> bool:
    """Return True if a value is unfit. Quoted values of cookies may have octal escapes."""
    return "\\" in header and any(map(is_unfit, parse_cookie(header).values()))


def _is_form_unfit(request: HttpRequest) -> bool:
    if request.method != "POST" or request.path_info.startswith("/api/"):
        return False
    try:
        fields = request.POST
    except UnreadablePostError:  # the client has disconnected
        return False
    if request.content_type == "application/x-www-form-urlencoded":
        return _ENCODED.search(request.body.decode("latin-1")) is not None
    return _has_unfit_field(fields)


def _has_unfit_field(fields: QueryDict) -> bool:
    return any(is_unfit(name) or any(map(is_unfit, values)) for name, values in fields.lists())


def _refusal(request: HttpRequest) -> HttpResponse:
    return problem_response(
        request, 400, Problem("Unreadable request", UNFIT, "Nothing was saved.")
    )


class JsonParser(JSONParser):
    """DRF's parser with the same checks. Raises ParseError, which becomes a response 400."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            content = super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError(TOO_DEEP) from None
        _check(content)
        return content


def _check(content: Any) -> None:
    """Raise ParseError if `content` is unfit or nested too deeply.

    It is not recursive, so that deep content cannot exhaust the stack.
    """
    level = [content]
    for _ in range(MAX_DEPTH):
        texts = [part for part in level if isinstance(part, str)]
        if any(map(is_unfit, texts)):
            raise ParseError(UNFIT)
        level = [inner for part in level for inner in _parts(part)]
        if not level:
            return
    raise ParseError(TOO_DEEP)


def _parts(content: Any) -> list[Any]:
    if isinstance(content, dict):
        return [*content, *content.values()]
    return content if isinstance(content, list) else []


class _WithKnownCharset:
    """Ignores a charset that is not in CHARSETS, as Django ignores unknown ones."""

    def _set_content_type_params(self, meta: Mapping[str, Any]) -> None:
        kind, params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        if "charset" in params and not _is_known(params["charset"]):
            meta = {"CONTENT_TYPE": kind}
            if "boundary" in params:
                meta["CONTENT_TYPE"] += f'; boundary="{params["boundary"]}"'
        super()._set_content_type_params(meta)  # type: ignore[misc]


class CheckedWSGIRequest(_WithKnownCharset, WSGIRequest):
    pass


class CheckedASGIRequest(_WithKnownCharset, ASGIRequest):
    pass


def _is_known(charset: str) -> bool:
    try:
        return codecs.lookup(charset).name in CHARSETS
    except (LookupError, ValueError):
        return False


class CheckedSockets:
    """Closes a WebSocket whose cookies are unfit, before its session is looked up."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Any, send: Send) -> None:
        cookies = b"; ".join(value for name, value in scope["headers"] if name == b"cookie")
        if _has_unfit_cookie(cookies.decode("latin-1")):
            await send({"type": "websocket.close", "code": BAD_DATA})
            return
        await self.application(scope, receive, send)
