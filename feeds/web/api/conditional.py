"""ETag and 304: a program that asks again hears in one query that nothing has changed."""

import time
from collections.abc import Callable
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
from feeds.coordination.revisions import news_for

View = TypeVar("View", bound=APIView)
Answer = Callable[Concatenate[View, Request, ...], HttpResponse]

LONGEST = 3600
"""Seconds. What no number tells of, such as an item that leaves the horizon, is told then."""


def unless_known(get: Answer[View]) -> Answer[View]:
    """For lists that change with the reader's actions and with the news: whether they have is
    found out before the work is done. Both are read first, so that an answer may be newer
    than its tag and never older; one that is older says no-store and gets no tag."""

    @wraps(get)
    def answer(view: View, request: Request) -> HttpResponse:
        assert isinstance(request.user, User)
        tag = _tag(request, *news_for(request.user), int(time.time() / LONGEST))
        if unchanged := _known(request, tag):
            return unchanged
        made = get(view, request)
        return made if made.get("Cache-Control") == "no-store" else _tagged(made, tag)

    return answer


def unless_same(get: Answer[View]) -> Answer[View]:
    """For what changes with each poll: the work is done, and the same answer not sent again."""

    @wraps(get)
    def answer(view: View, request: Request, **named: Any) -> HttpResponse:
        response = get(view, request, **named)
        assert isinstance(response, Response)
        tag = _tag(request, repr(response.data))
        return _known(request, tag) or _tagged(response, tag)

    return answer


def _tag(request: Request, *parts: object) -> str:
    """Weak: of the same meaning, if not the same to the byte."""
    what = (request.user.pk, request.build_absolute_uri(), *parts)
    return "W/" + quote_etag(blake2b(repr(what).encode(), digest_size=12).hexdigest())


def _known(request: Request, tag: str) -> HttpResponse | None:
    unchanged = get_conditional_response(request._request, etag=tag)
    return _tagged(unchanged, tag) if unchanged else None


def _tagged(response: HttpResponse, tag: str) -> HttpResponse:
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = "private, no-cache"
    patch_vary_headers(response, ["Authorization", "Cookie"])
    return response
