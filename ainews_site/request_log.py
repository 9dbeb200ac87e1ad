"""Gives each request and socket an id, and logs how it ended.

The line has the name of the route, the status, the time and the reader's number: no path, no query
and no address, which say what somebody reads and who they are.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.functional import LazyObject, empty

from ainews_site.config.origins import STATIC_PATH
from ainews_site.observe import tracing
from ainews_site.observe.context import is_valid, new_id, of_request, request_id

HEADER = "X-Request-ID"
SOCKETS = ("ws", "ws/digest", "ws/digest/global")
"""The paths of sockets. Any other path is not logged."""

logger = logging.getLogger("ainews.access")

Scope = dict[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]


class RequestLogMiddleware:
    """The outermost middleware, because the others may refuse a request.

    A trusted proxy may choose the id. Any other client could choose one to mislead the operator who
    reads the log.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began, sent = time.perf_counter(), request.META.get("HTTP_X_REQUEST_ID")
        id_ = id_of(sent, is_trusted=_is_from_proxy(request)) if sent else new_id()
        request.request_id = id_  # type: ignore[attr-defined]
        token = request_id.set(id_)
        try:
            respond = self._traced if tracing.is_on() else self.get_response
            response = respond(request)
            response.headers[HEADER] = id_
            if logger.isEnabledFor(logging.INFO):
                _log(request, response.status_code, began)
        finally:
            request_id.reset(token)
        return response

    def _traced(self, request: HttpRequest) -> HttpResponse:
        parent = request.META.get("HTTP_TRACEPARENT", "")
        parent = parent if parent and _is_from_proxy(request) else ""
        with tracing.request_span(request.method or "", parent) as span:
            response = self.get_response(request)
            span.finish(route_of(request), response.status_code)
        return response


def _is_from_proxy(request: HttpRequest) -> bool:
    """Return True if a trusted proxy sent the request. TrustedProxyMiddleware changes the address
    later."""
    is_trusted: bool = settings.TRUSTED_PROXIES.trust(request.META.get("REMOTE_ADDR", ""))
    return is_trusted


def id_of(sent: str | None, *, is_trusted: bool) -> str:
    """Return the id that a trusted proxy sent, or a new one."""
    return sent if sent and is_trusted and is_valid(sent) else new_id()


def route_of(request: HttpRequest) -> str:
    """Return the name of the request's route, or "" if it has none."""
    match = request.resolver_match
    return match.view_name or match.route if match else ""


def reader_of(request: Any) -> int | None:
    """Return the primary key of the signed-in reader, without a query that nobody needed so far."""
    user = request.__dict__.get("user")
    if user is None or (isinstance(user, LazyObject) and user.__dict__.get("_wrapped") is empty):
        return None
    key: int | None = user.pk
    return key


def _log(request: HttpRequest, status: int, began: float) -> None:
    route = route_of(request)
    is_static = request.path_info.startswith(STATIC_PATH)
    if status < 400 and (is_static or route.startswith(("health", "metrics"))):
        return  # frequent, and of no interest
    address = request.META.get("REMOTE_ADDR", "") if settings.LOG_ADDRESSES else ""
    log_end("request", request.method or "", route, status, began, reader_of(request), address)


def log_end(
    kind: str,
    method: str,
    route: str,
    status: int,
    began: float,
    user_id: int | None = None,
    address: str = "",
) -> None:
    """Log a request or a socket. `began` is the value of `time.perf_counter` at its start."""
    ms = round((time.perf_counter() - began) * 1000, 1)
    fields = (method, route, status, ms, user_id)
    if address:
        logger.info(f"{kind} method=%s route=%s status=%s ms=%s user_id=%s ip=%s", *fields, address)
    else:
        logger.info(f"{kind} method=%s route=%s status=%s ms=%s user_id=%s", *fields)


class SocketLog:
    """ASGI middleware for WebSockets. `status` of their line is the code that closed them."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        began, codes = time.perf_counter(), [0]
        headers = dict(scope["headers"])
        client = (scope.get("client") or [""])[0]
        sent = headers.get(b"x-request-id", b"").decode("latin-1")
        is_trusted = settings.TRUSTED_PROXIES.trust(client)

        async def receive_noting() -> Mapping[str, Any]:
            event: Mapping[str, Any] = await receive()
            if event["type"] == "websocket.disconnect":
                codes.append(event.get("code") or 1005)
            return event

        async def send_noting(event: Mapping[str, Any]) -> None:
            if event["type"] == "websocket.close":
                codes.append(event.get("code") or 1000)
            await send(event)

        with of_request(id_of(sent, is_trusted=is_trusted)):
            try:
                await self.application(scope, receive_noting, send_noting)
            finally:
                if logger.isEnabledFor(logging.INFO):
                    user = scope.get("user")
                    path = scope["path"].strip("/")
                    route = path if path in SOCKETS else ""
                    log_end("socket", "GET", route, codes[-1], began, getattr(user, "pk", None))
