"""The check of API answers against their description notices what it should."""

from typing import Any

import pytest
from django.http import HttpResponse, JsonResponse

from tests.openapi import UndocumentedError, check

SENTENCE = {"text": "A lab published a model.", "cites": [1]}
ANSWER: dict[str, Any] = {
    "sentences": [SENTENCE],
    "sources": [],
    "written_by": "extractive",
    "is_waiting": False,
    "says": "",
    "problems": [],
}
FOLLOW = {"id": 1, "term": "chips", "label": "Chips", "created_at": "2026-05-20T12:00:00Z"}


def test_what_is_described_is_allowed() -> None:
    check("GET", "/api/v1/ask/", JsonResponse(ANSWER))
    check("GET", "/api/v1/trends/follows/", JsonResponse({"results": [FOLLOW]}))
    check("DELETE", "/api/v1/trends/follows/1/", HttpResponse(status=204))
    check("GET", "/api/v1/ask/", JsonResponse({"q": "Type a question."}, status=400))
    check("GET", "/api/v1/ask/", HttpResponse(status=304))


@pytest.mark.parametrize(
    ("method", "path", "response", "problem"),
    [
        ("GET", "ask/", JsonResponse(ANSWER | {"extra": 1}), "extra"),
        ("GET", "ask/", JsonResponse({k: v for k, v in ANSWER.items() if k != "says"}), "says"),
        ("GET", "ask/", JsonResponse(ANSWER | {"sentences": [{"text": 1}]}), "sentences"),
        ("GET", "ask/", JsonResponse(ANSWER, status=201), "not part of"),
        ("GET", "no-such-thing/", JsonResponse({}), "not part of"),
        ("PATCH", "ask/", JsonResponse({}), "not part of"),
        ("GET", "ask/", JsonResponse({"q": 7}, status=400), r"\$\.q"),
        ("DELETE", "trends/follows/1/", HttpResponse("gone", status=204), "no body"),
        (
            "GET",
            "trends/follows/",
            JsonResponse({"results": [FOLLOW | {"created_at": "yesterday"}]}),
            "created_at",
        ),
    ],
)
def test_anything_else_is_refused(method: str, path: str, response: Any, problem: str) -> None:
    with pytest.raises(UndocumentedError, match=problem):
        check(method, f"/api/v1/{path}", response)
