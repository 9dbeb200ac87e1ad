"""Read the JSON in what a model wrote, however it is wrapped. Pure."""

import json
import re
from collections.abc import Iterator
from typing import Any

from feeds.ai.language.errors import BadReplyError
from feeds.ai.language.types import Schema

MAX_TRIES = 50
"""Places at which an object may begin."""
_THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_FENCED = re.compile(r"```(?:json)?\s*\n?(.*?)```", re.DOTALL | re.IGNORECASE)


def read_object(text: str, schema: Schema) -> dict[str, Any]:
    """The first object in `text` that fits. Raises BadReplyError in words."""
    text = _THOUGHT.sub("", text).strip()
    if not text:
        raise BadReplyError("The language model's reply is empty.")
    problem = "The language model's reply is not JSON."
    for found in _objects(text):
        if not (wrong := _misfit(found, schema)):
            return found
        problem = f"The language model's reply has the wrong form: {wrong}."
    raise BadReplyError(problem, text=text)


def _objects(text: str) -> Iterator[dict[str, Any]]:
    for candidate in (text, *_FENCED.findall(text)):
        if (found := _decode(candidate)) is not None:
            yield found
    start = text.find("{")
    for _ in range(MAX_TRIES):
        if start < 0:
            return
        if (found := _decode(text[start:])) is not None:
            yield found
        start = text.find("{", start + 1)


def _decode(text: str) -> dict[str, Any] | None:
    """The object at the beginning of `text`, whatever comes after it, fit to be stored."""
    try:
        found = _storable(_DECODER.raw_decode(text.strip())[0])
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _storable(found: Any) -> Any:
    """Without what no database takes, and whole numbers as such: to a schema 1.0 is one too."""
    if isinstance(found, dict):
        return {_storable(name): _storable(value) for name, value in found.items()}
    if isinstance(found, list):
        return [_storable(one) for one in found]
    if isinstance(found, str):
        return _NO_TEXT.sub(" ", found)
    return int(found) if isinstance(found, float) and found.is_integer() else found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_number, strict=False)


def _misfit(found: dict[str, Any], schema: Schema) -> str:
    """What is wrong with it, else empty."""
    from jsonschema import Draft202012Validator  # 8 MB, of the worker alone

    error = next(Draft202012Validator(dict(schema)).iter_errors(found), None)
    return f"{error.json_path}: {error.message[:120]}" if error else ""
