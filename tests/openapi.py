"""Checks every answer of the REST API that a test receives against the OpenAPI description.

`tests/conftest.py` installs `answers_checked` for the whole suite, so that a test of anything
fails if the API answers what its description does not say.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import spectacular_settings
from jsonschema import Draft202012Validator, FormatChecker

API, SCHEMA = "/api/v1/", "/api/v1/schema/"
ERROR = {
    "type": ["object", "array"],
    "additionalProperties": {"type": ["string", "array", "object"]},
    "items": {"type": "string"},
}
"""Problems in words, of the request as a whole or by field."""
FORMATS = FormatChecker(["date", "uuid"])


@FORMATS.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@FORMATS.checks("uri", raises=ValueError)
def _is_address(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).netloc)


class UndocumentedError(AssertionError):
    """An answer that the description does not allow."""


@contextmanager
def answers_checked() -> Iterator[None]:
    """Check what every `django.test.Client` receives from below /api/v1/."""
    request = Client.request

    def checked(client: Client, **environ: Any) -> Any:
        response = request(client, **environ)
        path = environ["PATH_INFO"]
        if path.startswith(API) and path != SCHEMA:
            check(environ["REQUEST_METHOD"], path, response)
        return response

    Client.request = checked  # type: ignore[method-assign]
    try:
        yield
    finally:
        Client.request = request  # type: ignore[method-assign]


def check(method: str, path: str, response: Any) -> None:
    """Raise `UndocumentedError` if the description does not allow `response`."""
    where = f"{method} {path} ({response.status_code})"
    is_compressed = "Content-Encoding" in response.headers
    if response.status_code == 304 or method in ("HEAD", "OPTIONS") or is_compressed:
        return
    if response.status_code >= 400:
        return _validate(ERROR, json.loads(response.content) if response.content else {}, where)
    operation = _operation(method, path)
    if operation is None or str(response.status_code) not in operation["responses"]:
        raise UndocumentedError(f"{where} is not part of the description.")
    content = operation["responses"][str(response.status_code)].get("content")
    if content is None:
        if response.content:
            raise UndocumentedError(f"{where} should have no body.")
        return
    _validate(content["application/json"]["schema"], json.loads(response.content), where)


def _validate(schema: dict[str, Any], answer: Any, where: str) -> None:
    components = {"components": described(settings.ROOT_URLCONF).get("components", {})}
    validator = Draft202012Validator(schema | components, format_checker=FORMATS)
    if problems := [
        f"{error.json_path}: {error.message}" for error in validator.iter_errors(answer)
    ]:
        raise UndocumentedError("\n".join([where, *problems]))


def _operation(method: str, path: str) -> dict[str, Any] | None:
    found = described(settings.ROOT_URLCONF)["paths"].get(pattern_of(path), {})
    operation: dict[str, Any] | None = found.get(method.lower())
    return operation


def pattern_of(path: str) -> str:
    """The described path that `path` belongs to, or ""."""
    paths = described(settings.ROOT_URLCONF)["paths"]
    # What is spelled out goes before what has parameters: stories/ranked/ before stories/{id}/.
    for pattern in sorted(paths, key=lambda pattern: str(pattern).count("{")):
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path):
            return str(pattern)
    return ""


@cache
def described(urlconf: str) -> dict[str, Any]:
    """The description as OpenAPI 3.1, whose schemas are JSON Schema; no other keys allowed."""
    spectacular_settings.apply_patches({"OAS_VERSION": "3.1.0"})
    try:
        schema: dict[str, Any] = SchemaGenerator(urlconf=urlconf).get_schema(public=True)
    finally:
        spectacular_settings.clear_patches()
    _close(schema)
    return schema


def _close(schema: Any) -> None:
    """Let objects have the properties that are described and no more."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            schema.setdefault("additionalProperties", False)
        for part in schema.values():
            _close(part)
    elif isinstance(schema, list):
        for part in schema:
            _close(part)
