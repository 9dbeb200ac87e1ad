"""Build requests with the features that a server supports: structured output, parameters. Pure."""

import json
import re
from collections.abc import Collection, Sequence
from typing import Any

from feeds.ai.language.errors import ModelRefusedError
from feeds.ai.language.types import Message, Schema

BOUNDS, JSON_SCHEMA, JSON_OBJECT, MAX_TOKENS, TEMPERATURE = (
    "bounds",
    "json_schema",
    "json_object",
    "max_tokens",
    "temperature",
)
"""Features that a server may lack; first the kinds of structured output, the best first."""
_BOUNDS = ("maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum")
"""Keywords that limit sizes. They keep small models from writing without end, but OpenAI's strict
mode does not support all of them."""
_UNSUPPORTED = (400, 415, 422, 501)
_ABOUT_FORMAT = re.compile(r"response.?format|json|schema|grammar|structured", re.IGNORECASE)
_ABOUT_ELSE = re.compile(r"context|too long|too large|tokens? limit|not found|api.?key|quota", re.I)


def body_for(
    model: str, messages: Sequence[Message], schema: Schema, tokens: int, lacks: Collection[str]
) -> dict[str, Any]:
    """Build the body of a chat completion that asks for JSON, without the features in `lacks`."""
    form = _response_format(schema, lacks)
    body: dict[str, Any] = {
        "model": model,
        "messages": _with_schema_in_prompt(messages, schema)
        if JSON_SCHEMA in lacks
        else [dict(message) for message in messages],
        # Newer models of OpenAI accept only the longer name, most other servers only the shorter.
        ("max_completion_tokens" if MAX_TOKENS in lacks else "max_tokens"): tokens,
    }
    if form:
        body["response_format"] = form
    if TEMPERATURE not in lacks:
        body["temperature"] = 0
    return body


def _response_format(schema: Schema, lacks: Collection[str]) -> dict[str, Any] | None:
    if JSON_SCHEMA not in lacks:
        sent = without_bounds(schema) if BOUNDS in lacks else schema
        named = {"name": "answer", "strict": True, "schema": dict(sent)}
        return {"type": "json_schema", "json_schema": named}
    return None if JSON_OBJECT in lacks else {"type": "json_object"}


def _with_schema_in_prompt(messages: Sequence[Message], schema: Schema) -> list[dict[str, str]]:
    """Add the schema to the prompt, for servers without structured output."""
    instruction = (
        f"Answer with one JSON object alone, of this JSON schema: {json.dumps(dict(schema))}"
    )
    first, *rest = [dict(message) for message in messages]
    if first["role"] == "system":
        return [first | {"content": f"{first['content']}\n\n{instruction}"}, *rest]
    return [{"role": "system", "content": instruction}, first, *rest]


def without_bounds(schema: Schema) -> Schema:
    """Return the schema without limits of size."""

    def strip(part: Any) -> Any:
        if isinstance(part, list):
            return [strip(element) for element in part]
        if not isinstance(part, dict):
            return part
        return {key: strip(value) for key, value in part.items() if key not in _BOUNDS}

    stripped: dict[str, Any] = strip(dict(schema))
    return stripped


def missing_feature(error: ModelRefusedError, schema: Schema, lacks: Collection[str]) -> str:
    """Return the feature that the server seems to lack, by its error message. Returns "" if a
    simpler request would fail too."""
    if error.status not in _UNSUPPORTED:
        return ""
    for name in (MAX_TOKENS, TEMPERATURE):
        if name not in lacks and re.search(rf"\b{name}\b", error.server_message):
            return name
    if _ABOUT_ELSE.search(error.server_message) and not _ABOUT_FORMAT.search(error.server_message):
        return ""
    forms: tuple[str, ...] = (JSON_SCHEMA, JSON_OBJECT)
    if without_bounds(schema) != schema and JSON_SCHEMA not in lacks:
        forms = (BOUNDS, *forms)
    return next((form for form in forms if form not in lacks), "")
