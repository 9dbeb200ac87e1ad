"""Ask the language model for an object of a given form, wherever it may be and whatever fails.

For the worker: a page must not wait for it.
"""

import json
import logging
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from hashlib import blake2b

from django.conf import settings

from ainews_site.infra import db_clock
from feeds.ai.language.admission import Wanted
from feeds.ai.language.calling import call
from feeds.ai.language.errors import BadReplyError, ModelOffError, ModelRefusedError
from feeds.ai.language.prices import estimate_tokens
from feeds.ai.language.reply import read_object
from feeds.ai.language.request import JSON_SCHEMA, body_for, lacking, without_bounds
from feeds.ai.language.servers import endpoint, remember_lacks, server_of
from feeds.ai.language.types import Completion, Message, Reply, Schema, Usage
from feeds.models import LanguageReply, LanguageServer

log = logging.getLogger(__name__)


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
    """The model's answer to `messages`, as an object that fits `schema`.

    `purpose` (at most 30 characters) is what the ledger calls it; `version` is the prompt's, by
    which an answer is found again for LLM_CACHE_DAYS. Waits `patience` seconds, LLM_TIMEOUT by
    default, for a place among LLM_CONCURRENCY. Raises LanguageModelError in words. Must be
    called outside of transactions.
    """
    if not settings.LLM_MODEL:
        raise ModelOffError("No language model is configured: LLM_MODEL is empty.")
    key = _key(messages, schema, version)
    if kept := _kept(key):
        return Completion(kept.data, kept.model, is_cached=True)
    waits = settings.LLM_TIMEOUT if patience is None else patience
    data = _ask(messages, schema, purpose, max_tokens, waits)
    _keep(key, data)
    return Completion(data, settings.LLM_MODEL, is_cached=False)


def forget_old_replies() -> int:
    """Drop those that are too old to be given again; how many."""
    oldest = db_clock.now() - timedelta(days=settings.LLM_CACHE_DAYS)
    return LanguageReply.objects.filter(created_at__lt=oldest).delete()[0]


def _ask(
    messages: Sequence[Message], schema: Schema, purpose: str, max_tokens: int, patience: float
) -> dict[str, object]:
    """Ask in the best way that the server is known to understand, then in simpler ones."""
    model, server = settings.LLM_MODEL, server_of(settings.LLM_MODEL)
    wanted = Wanted(server, model, purpose, _tokens(messages, schema), max_tokens)
    known = set(server.lacks)
    lacks = set(known)
    while True:
        body = body_for(model, messages, schema, max_tokens, lacks)
        try:
            reply = call(wanted, partial(_chat, body, wanted.tokens_in), patience)
            found = _read(reply, schema)
        except ModelRefusedError as error:
            lack = lacking(error, schema, lacks)
            if not lack:
                raise
        except BadReplyError as error:
            if JSON_SCHEMA in lacks or error.was_cut or not error.text:
                raise
            lack = JSON_SCHEMA  # some servers take no notice of the form without a word
        else:
            _remember(server, lacks - known)
            return found
        lacks.add(lack)


def _chat(body: dict[str, object], tokens_in: int) -> tuple[Reply, Usage]:
    from feeds.ai.language import wire

    reply = wire.chat(endpoint(), body)
    return reply, reply.usage or Usage(tokens_in, estimate_tokens(reply.text), is_estimated=True)


def _read(reply: Reply, schema: Schema) -> dict[str, object]:
    try:
        return read_object(reply.text, without_bounds(schema))
    except BadReplyError:
        if reply.was_cut:
            raise BadReplyError(
                "The language model's reply was cut off because it was too long.",
                text=reply.text,
                was_cut=True,
            ) from None
        raise


def _remember(server: LanguageServer, lacks: set[str]) -> None:
    if lacks:
        remember_lacks(server, lacks)
        log.warning("language_server_lacks server=%s lacks=%s", server, ",".join(sorted(lacks)))


def _tokens(messages: Sequence[Message], schema: Schema) -> int:
    """What is read at most: the form may be told in words."""
    said = sum(estimate_tokens(message["content"]) + 8 for message in messages)
    return said + estimate_tokens(json.dumps(dict(schema)))


def _key(messages: Sequence[Message], schema: Schema, version: str) -> str:
    asked = [settings.LLM_MODEL, version, dict(schema), [dict(one) for one in messages]]
    written = json.dumps(asked, sort_keys=True, ensure_ascii=False)
    return blake2b(written.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


def _kept(key: str) -> LanguageReply | None:
    oldest = db_clock.now() - timedelta(days=settings.LLM_CACHE_DAYS)
    return LanguageReply.objects.filter(key=key, created_at__gt=oldest).first()


def _keep(key: str, data: dict[str, object]) -> None:
    if settings.LLM_CACHE_DAYS > 0:
        LanguageReply.objects.update_or_create(
            key=key,
            defaults={"model": settings.LLM_MODEL, "data": data, "created_at": db_clock.now()},
        )
