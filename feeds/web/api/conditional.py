"""ETag and 304: a program that asks again mostly hears in one query that nothing has changed.

A tag is made from the answer and from the reader's own cache version. Ledger numbers and revisions
change with the private items of others: in a tag they would show each arrival to everybody.
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

LONGEST = 3600
"""Seconds after which a tag changes in any case, for what is left out of it."""


def unless_known(get: Answer[View]) -> Answer[View]:
    """For lists that change with the reader's actions and with the news.

    The tag of the last answer is cached with the numbers that it depends on. They are read before
    the work, so that a tag is never older than them: while they are the same, the work is not
    done again. An answer that is older says no-store and gets no tag.
    """

    @wraps(get)
    def answer(view: View, request: Request) -> HttpResponse:
        assert isinstance(request.user, User)
        news = news_for(request.user)
        validator, key = (*news, _hour()), f"api-tag-{_digest(*_what(request))}"
        known = _fetch(key)
        if known and known[0] == validator and (unchanged := _unchanged(request, known[1])):
            return unchanged
        made = get(view, request)
        if made.get("Cache-Control") == "no-store":
            return made
        assert isinstance(made, Response)
        tag = _tag(request, news.version, _content(made.data, ("milliseconds",)))
        _store(key, (validator, tag))
        return _unchanged(request, tag) or _tagged(made, tag)

    return answer


def unless_same(get: Answer[View]) -> Answer[View]:
    """For what changes with each poll: the work is done, and the same answer not sent again."""
    return _unless_same(get, transient=())


def unless_reordered(get: Answer[View]) -> Answer[View]:
    """The same for rankings, whose scores change with time: without a change of the order, a new
    score is sent after an hour."""
    return _unless_same(get, transient=("score", "terms"))


def _unless_same(get: Answer[View], transient: Collection[str]) -> Answer[View]:
    @wraps(get)
    def answer(view: View, request: Request, **named: Any) -> HttpResponse:
        response = get(view, request, **named)
        assert isinstance(response, Response)
        tag = _tag(request, _content(response.data, transient))
        return _unchanged(request, tag) or _tagged(response, tag)

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
    """Weak: of the same meaning, if not the same to the byte."""
    return "W/" + quote_etag(_digest(*_what(request), _hour(), *parts))


def _unchanged(request: Request, tag: str) -> HttpResponse | None:
    unchanged = get_conditional_response(request._request, etag=tag)
    return _tagged(unchanged, tag) if unchanged else None


def _tagged(response: HttpResponse, tag: str) -> HttpResponse:
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = "private, no-cache"
    patch_vary_headers(response, ["Authorization", "Cookie"])
    return response
