"""Conditional requests: ETags, and 304 responses for unchanged content.

ETags are hashes of the response and of the reader's own cache version. They must not contain
ledger numbers and revisions, which change with private items of others and would reveal them.
"""

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
"""All tags change at each full hour, in seconds, because they leave some changes out: an item that
leaves the unread horizon changes no version."""


def etag_by_version(get: Answer[View]) -> Answer[View]:
    """Decorate a view whose response changes only with new items and the reader's actions.

    The ETag is a hash of the response. If a program asks with a tag, it is cached with the versions
    that the response depends on, so while they are the same an unchanged response is not computed
    again. The versions are read before the view runs, so a tag is never older than them. A view
    that answers from older data must set "Cache-Control: no-store"; its response gets no tag.
    """

    @wraps(get)
    def answer(view: View, request: Request) -> HttpResponse:
        assert isinstance(request.user, User)
        if "If-None-Match" not in request.headers:
            response, tag = _response_and_tag(get, view, request, request.user.version)
            return _tagged(response, tag) if tag else response
        news = news_for(request.user)
        validator, key = (*news, _hour()), f"api-tag-{_digest(*_request_identity(request))}"
        cached_tag = _fetch(key)
        if (
            cached_tag
            and cached_tag[0] == validator
            and (unchanged := _not_modified(request, cached_tag[1]))
        ):
            return unchanged
        response, tag = _response_and_tag(get, view, request, news.cache_version)
        if not tag:
            return response
        _store(key, (validator, tag))
        return _not_modified(request, tag) or _tagged(response, tag)

    return answer


def _response_and_tag(
    get: Answer[View], view: View, request: Request, version: int
) -> tuple[HttpResponse, str]:
    """Run the view. The tag is "" if the response must not be stored."""
    response = get(view, request)
    if response.get("Cache-Control") == "no-store":
        return response, ""
    assert isinstance(response, Response)
    return response, _tag(request, version, _content(response.data, ("milliseconds",)))


def etag_by_content(get: Answer[View]) -> Answer[View]:
    """Decorate a view whose ETag is a hash of its response. The view runs each time, but an
    unchanged response is not sent again."""
    return _etag_without(get, transient=())


def etag_by_order(get: Answer[View]) -> Answer[View]:
    """Like `etag_by_content` for rankings, whose scores change all the time. Scores are left out of
    the hash: if the order stays the same, new scores are sent after an hour."""
    return _etag_without(get, transient=("score", "terms"))


def _etag_without(get: Answer[View], transient: Collection[str]) -> Answer[View]:
    @wraps(get)
    def answer(view: View, request: Request, **named: Any) -> HttpResponse:
        response = get(view, request, **named)
        assert isinstance(response, Response)
        tag = _tag(request, _content(response.data, transient))
        return _not_modified(request, tag) or _tagged(response, tag)

    return answer


def _content(data: Any, transient: Collection[str]) -> str:
    """Text of an object or a list of objects, without the `transient` fields."""
    if isinstance(data, list):
        return repr([_content(row, transient) for row in data])
    if isinstance(data, dict):
        return repr([(name, value) for name, value in data.items() if name not in transient])
    return repr(data)


def _hour() -> int:
    return int(time.time() / MAX_AGE)


def _request_identity(request: Request) -> tuple[object, ...]:
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
        with_cache(lambda cache: cache.set(key, entry, MAX_AGE))


def _tag(request: Request, *parts: object) -> str:
    """A weak ETag, because the same content may be serialised to different bytes."""
    return "W/" + quote_etag(_digest(*_request_identity(request), _hour(), *parts))


def _not_modified(request: Request, tag: str) -> HttpResponse | None:
    unchanged = get_conditional_response(request._request, etag=tag)
    return _tagged(unchanged, tag) if unchanged else None


def _tagged(response: HttpResponse, tag: str) -> HttpResponse:
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = "private, no-cache"
    patch_vary_headers(response, ["Authorization", "Cookie"])
    return response
