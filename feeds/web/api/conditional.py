"""Conditional requests: ETags, and 304 responses for unchanged content."""

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import wraps
from hashlib import blake2b
from typing import Any, Concatenate, TypeVar

from django.http import HttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.http import quote_etag
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from ainews_site.infra.cache import CacheUnavailable, with_cache
from feeds.coordination.revisions import news_for

View = TypeVar("View", bound=APIView)
Answer = Callable[Concatenate[View, Request, ...], HttpResponse]

MAX_AGE = 3600
"""Seconds after which an ETag changes in any case, because not every change bumps a version: an
item that leaves the unread horizon does not."""


def etag_by_version(get: Answer[View]) -> Answer[View]:
    """Decorate a view whose response changes only with new items and the reader's actions.

    The ETag is computed from their versions before the view runs, so an unchanged response costs
    one query. The response may be newer than its tag but never older. A view that answers from
    older data must set "Cache-Control: no-store"; its response gets no tag.
    """

    @wraps(get)
    def answer(view: View, request: Request) -> HttpResponse:
        assert isinstance(request.user, User)
        tag = _tag(request, *news_for(request.user), int(time.time() / MAX_AGE))
        if unchanged := _not_modified(request, tag):
            return unchanged
        response = get(view, request)
        is_stale = response.get("Cache-Control") == "no-store"
        return response if is_stale else _tagged(response, tag)

    return answer


def etag_by_content(get: Answer[View]) -> Answer[View]:
    """Decorate a view whose ETag is computed from its response. The view runs each time, but an
    unchanged response is not sent again."""


def unless_reordered(get: Answer[View]) -> Answer[View]:
    """The same for rankings, whose scores change with time: without a change of the order, a new
    score is sent after an hour."""
    return _unless_same(get, transient=("score", "terms"))


def _unless_same(get: Answer[View], transient: Collection[str]) -> Answer[View]:
    @wraps(get)
    def answer(view: View, request: Request, **named: Any) -> HttpResponse:
        response = get(view, request, **named)
        assert isinstance(response, Response)
        tag = _tag(request, repr(response.data))
        return _not_modified(request, tag) or _tagged(response, tag)

    return answer


def _content(data: Any, transient: Collection[str]) -> str:
    """An object or a list of objects without the fields that change with each request."""
    if isinstance(data, list):
        return repr([_content(row, transient) for row in data])
    if isinstance(data, dict):
        return repr([(name, value) for name, value in data.items() if name not in transient])
    return repr(data)


def _hour() -> int:
    return int(time.time() / LONGEST)


def _what(request: Request) -> tuple[object, ...]:
    return request.user.pk, request.build_absolute_uri()


def _digest(*parts: object) -> str:
    return blake2b(repr(parts).encode(), digest_size=12).hexdigest()


def _fetch(key: str) -> Any:
    try:
        return with_cache(lambda cache: cache.get(key))
    except CacheUnavailable:
        return None


def _store(key: str, entry: tuple[object, ...]) -> None:
    with suppress(CacheUnavailable):
        with_cache(lambda cache: cache.set(key, entry, LONGEST))


def _tag(request: Request, *parts: object) -> str:
    """A weak ETag, because the same content may be serialised to different bytes."""
    identity = (request.user.pk, request.build_absolute_uri(), *parts)
    return "W/" + quote_etag(blake2b(repr(identity).encode(), digest_size=12).hexdigest())


def _not_modified(request: Request, tag: str) -> HttpResponse | None:
    """The 304 response if the client has this version, else None."""
    unchanged = get_conditional_response(request._request, etag=tag)
    return _tagged(unchanged, tag) if unchanged else None


def _tagged(response: HttpResponse, tag: str) -> HttpResponse:
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = "private, no-cache"
    patch_vary_headers(response, ["Authorization", "Cookie"])
    return response
