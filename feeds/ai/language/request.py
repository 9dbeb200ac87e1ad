"""What is sent, by what the server can do: structured output, names of parameters. Pure."""

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
"""What a server may lack, from the best kind of structured output down."""
_BOUNDS = ("maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum")
"""They keep a small model from going on for ever; OpenAI's strict mode does not know all."""
_CANNOT_UNDERSTAND = (400, 415, 422, 501)
_ABOUT_FORM = re.compile(r"response.?format|json|schema|grammar|structured", re.IGNORECASE)
_ABOUT_ELSE = re.compile(r"context|too long|too large|tokens? limit|not found|api.?key|quota", re.I)


def body_for(
    model: str, messages: Sequence[Message], schema: Schema, tokens: int, lacks: Collection[str]
) -> dict[str, Any]:
    """A chat completion that asks for JSON in the best way that the server is known to have."""
    form = _form(schema, lacks)
    body: dict[str, Any] = {
        "model": model,
        "messages": _told_the_form(messages, schema)
        if JSON_SCHEMA in lacks
        else [dict(one) for one in messages],
        # Newer models of OpenAI know the longer name alone, most other servers the shorter.
        ("max_completion_tokens" if MAX_TOKENS in lacks else "max_tokens"): tokens,
    }
    if form:
        body["response_format"] = form
    if TEMPERATURE not in lacks:
        body["temperature"] = 0
    return body


def _form(schema: Schema, lacks: Collection[str]) -> dict[str, Any] | None:
    if JSON_SCHEMA not in lacks:
        held = without_bounds(schema) if BOUNDS in lacks else schema
        named = {"name": "answer", "strict": True, "schema": dict(held)}
        return {"type": "json_schema", "json_schema": named}
    return None if JSON_OBJECT in lacks else {"type": "json_object"}


def _told_the_form(messages: Sequence[Message], schema: Schema) -> list[dict[str, str]]:
    """The schema in words, for servers that do not hold the model to it."""
    said = f"Answer with one JSON object alone, of this JSON schema: {json.dumps(dict(schema))}"
    first, *rest = [dict(one) for one in messages]
    if first["role"] == "system":
        return [first | {"content": f"{first['content']}\n\n{said}"}, *rest]
    return [{"role": "system", "content": said}, first, *rest]


def without_bounds(schema: Schema) -> Schema:
    """The same form, of any length."""

    def strip(part: Any) -> Any:
        if isinstance(part, list):
            return [strip(one) for one in part]
        if not isinstance(part, dict):
            return part
        return {key: strip(value) for key, value in part.items() if key not in _BOUNDS}

    stripped: dict[str, Any] = strip(dict(schema))
    return stripped


def lacking(error: ModelRefusedError, schema: Schema, lacks: Collection[str]) -> str:
    """What the server seems to lack, by its refusal; empty where asking otherwise is no use."""
    if error.status not in _CANNOT_UNDERSTAND:
        return ""
    for name in (MAX_TOKENS, TEMPERATURE):
        if name not in lacks and re.search(rf"\b{name}\b", error.said):
            return name
    if _ABOUT_ELSE.search(error.said) and not _ABOUT_FORM.search(error.said):
        return ""
    forms: tuple[str, ...] = (JSON_SCHEMA, JSON_OBJECT)
    if without_bounds(schema) != schema and JSON_SCHEMA not in lacks:
        forms = (BOUNDS, *forms)
    return next((form for form in forms if form not in lacks), "")
