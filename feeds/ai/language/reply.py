"""Extract a JSON object from a model's reply, which may have other text around it. Pure."""

import json
import re
from collections.abc import Iterator
from typing import Any

from feeds.ai.language.errors import BadReplyError
from feeds.ai.language.types import Schema

MAX_TRIES = 50
"""Opening braces at which parsing is tried."""
_THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_FENCED = re.compile(r"```(?:json)?\s*\n?(.*?)```", re.DOTALL | re.IGNORECASE)


def read_object(text: str, schema: Schema) -> dict[str, Any]:
    """Return the first object in `text` that fits `schema`. Raises BadReplyError."""
    text = _THOUGHT.sub("", text).strip()
    if not text:
        raise BadReplyError("The language model's reply is empty.")
    problem = "The language model's reply is not JSON."
    for candidate in _objects(text):
        if not (error := _schema_error(candidate, schema)):
            return candidate
        problem = f"The language model's reply has the wrong form: {error}."
    raise BadReplyError(problem, text=text)


def _objects(text: str) -> Iterator[dict[str, Any]]:
    for candidate in (text, *_FENCED.findall(text)):
        if (content := _decode(candidate)) is not None:
            yield content
    start = text.find("{")
    for _ in range(MAX_TRIES):
        if start < 0:
            return
        if (content := _decode(text[start:])) is not None:
            yield content
        start = text.find("{", start + 1)


def _decode(text: str) -> dict[str, Any] | None:
    """Parse the object at the start of `text`, ignoring what follows. None if there is none."""
    try:
        content = _storable(_DECODER.raw_decode(text.strip())[0])
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _storable(content: Any) -> Any:
    """Remove characters that databases do not accept, and convert floats such as 1.0, which a
    schema accepts as integers, to int."""
    if isinstance(content, dict):
        return {_storable(name): _storable(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_storable(element) for element in content]
    if isinstance(content, str):
        return _NO_TEXT.sub(" ", content)
    return int(content) if isinstance(content, float) and content.is_integer() else content


def _reject_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_reject_constant, strict=False)


def _schema_error(content: dict[str, Any], schema: Schema) -> str:
    """Return why the object does not fit the schema, or ""."""
    from jsonschema import Draft202012Validator  # 8 MB, which web processes do not need

    error = next(Draft202012Validator(dict(schema)).iter_errors(content), None)
    return f"{error.json_path}: {error.message[:120]}" if error else ""
