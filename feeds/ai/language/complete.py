"""Ask the language model for a JSON object that fits a schema.

Only workers call this, because it is slow: pages must not wait for it.
"""

import json
import logging
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from hashlib import blake2b

from django.conf import settings

from ainews_site.infra import db_clock
from feeds.ai.language.admission import CallRequest
from feeds.ai.language.calling import call
from feeds.ai.language.errors import BadReplyError, ModelNotConfiguredError, ModelRefusedError
from feeds.ai.language.prices import estimate_tokens
from feeds.ai.language.reply import read_object
from feeds.ai.language.request import JSON_SCHEMA, body_for, missing_feature, without_bounds
from feeds.ai.language.servers import endpoint, server_of, store_lacks
from feeds.ai.language.types import Completion, Message, Reply, Schema, Usage
from feeds.models import LanguageReply, LanguageServer

logger = logging.getLogger(__name__)


def is_configured() -> bool:
    return bool(settings.LLM_MODEL)


def complete(
    messages: Sequence[Message],
    schema: Schema,
    purpose: str,
    *,
    version: str,
    max_tokens: int = 600,
    patience: float | None = None,
) -> Completion:
    """Return the model's reply to `messages` as an object that fits `schema`.

    Replies are cached for LLM_CACHE_DAYS by messages, schema and `version`, the version of the
    prompt. `purpose` (at most 30 characters) groups the costs in the admin. Waits up to `patience`
    seconds (default LLM_TIMEOUT) to be admitted among LLM_CONCURRENCY calls. Raises
    LanguageModelError. Must be called outside of a transaction.
    """
    if not settings.LLM_MODEL:
        raise ModelNotConfiguredError("No language model is set up: LLM_MODEL is empty.")
    key = _key(messages, schema, version)
    if cached := _cached_reply(key):
        return Completion(cached.data, cached.model, is_cached=True)
    seconds = settings.LLM_TIMEOUT if patience is None else patience
    data = _ask(messages, schema, purpose, max_tokens, seconds)
    _cache(key, data)
    return Completion(data, settings.LLM_MODEL, is_cached=False)


def forget_old_replies() -> int:
    """Delete expired replies. Return how many."""
    oldest = db_clock.now() - timedelta(days=settings.LLM_CACHE_DAYS)
    return LanguageReply.objects.filter(created_at__lt=oldest).delete()[0]


def _ask(
    messages: Sequence[Message], schema: Schema, purpose: str, max_tokens: int, patience: float
) -> dict[str, object]:
    """Ask with the most features that the server supports, and with fewer if it rejects one."""
    model, server = settings.LLM_MODEL, server_of(settings.LLM_MODEL)
    request = CallRequest(server, model, purpose, _tokens(messages, schema), max_tokens)
    known = set(server.lacks)
    lacks = set(known)
    while True:
        body = body_for(model, messages, schema, max_tokens, lacks)
        try:
            reply = call(request, partial(_chat, body, request.tokens_in), patience)
            answer = _read(reply, schema)
        except ModelRefusedError as error:
            lack = missing_feature(error, schema, lacks)
            if not lack:
                raise
        except BadReplyError as error:
            if JSON_SCHEMA in lacks or error.is_truncated or not error.text:
                raise
            lack = JSON_SCHEMA  # some servers silently ignore the schema
        else:
            _store_lacks(server, lacks - known)
            return answer
        lacks.add(lack)


def _chat(body: dict[str, object], tokens_in: int) -> tuple[Reply, Usage]:
    from feeds.ai.language import wire

    reply = wire.chat(endpoint(), body)
    return reply, reply.usage or Usage(tokens_in, estimate_tokens(reply.text), is_estimated=True)


def _read(reply: Reply, schema: Schema) -> dict[str, object]:
    try:
        return read_object(reply.text, without_bounds(schema))
    except BadReplyError:
        if reply.is_truncated:
            raise BadReplyError(
                "The language model's reply was cut off because it was too long.",
                text=reply.text,
                is_truncated=True,
            ) from None
        raise


def _store_lacks(server: LanguageServer, lacks: set[str]) -> None:
    if lacks:
        store_lacks(server, lacks)
        logger.warning("language_server_lacks server=%s lacks=%s", server, ",".join(sorted(lacks)))


def _tokens(messages: Sequence[Message], schema: Schema) -> int:
    """Estimate the input tokens. The schema counts, because it may be sent in the prompt."""
    tokens = sum(estimate_tokens(message["content"]) + 8 for message in messages)
    return tokens + estimate_tokens(json.dumps(dict(schema)))


def _key(messages: Sequence[Message], schema: Schema, version: str) -> str:
    """Hash of everything that the reply depends on."""
    parts = [settings.LLM_MODEL, version, dict(schema), [dict(message) for message in messages]]
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


def _cached_reply(key: str) -> LanguageReply | None:
    oldest = db_clock.now() - timedelta(days=settings.LLM_CACHE_DAYS)
    return LanguageReply.objects.filter(key=key, created_at__gt=oldest).first()


def _cache(key: str, data: dict[str, object]) -> None:
    if settings.LLM_CACHE_DAYS > 0:
        LanguageReply.objects.update_or_create(
            key=key,
            defaults={"model": settings.LLM_MODEL, "data": data, "created_at": db_clock.now()},
        )
