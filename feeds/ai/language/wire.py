"""HTTP calls to a model's server, with the `openai` client. No other module makes them.

Each call has a time limit as a whole, so that a server that sends single bytes cannot block it,
and a size limit.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import openai

from ainews_site.observe import tracing
from feeds.ai.language.errors import (
    BadReplyError,
    LanguageModelError,
    ModelBusyError,
    ModelRefusedError,
    ModelUnavailableError,
)
from feeds.ai.language.types import Endpoint, Reply, Usage
from feeds.core.http_headers import retry_after

T = TypeVar("T")

MAX_BYTES = 4 * 1024 * 1024
MAX_VECTOR_BYTES = 64 * 1024 * 1024
MAX_ERROR_BYTES = 16 * 1024
_MAX_MESSAGE = 300
_BUSY, _TIMED_OUT = 429, 408


class _Status(openai.OpenAIError):
    """An error status, with the message of the server."""

    def __init__(self, status: int, wait: float | None, body: bytes) -> None:
        super().__init__(str(status))
        self.status = status
        self.wait = wait
        self.server_message = _error_message(body)


class _TooLarge(Exception):
    pass


def chat(endpoint: Endpoint, body: dict[str, Any]) -> Reply:
    """Make a chat completion. Must not be called while an event loop runs in this thread.

    Raises ModelUnavailableError, ModelBusyError, ModelRefusedError, BadReplyError.
    """

    async def ask(client: openai.AsyncOpenAI) -> bytes:
        async with client.chat.completions.with_streaming_response.create(**body) as response:
            return await _read(response, MAX_BYTES)

    return _reply(endpoint, _document(endpoint, _run(endpoint, ask)))


def embed(
    endpoint: Endpoint, texts: Sequence[str], model: str
) -> tuple[list[list[float]], Usage | None]:
    """Return a vector for each text, in their order. Raises the same exceptions as `chat`."""

    async def ask(client: openai.AsyncOpenAI) -> bytes:
        create = client.embeddings.with_streaming_response.create
        async with create(input=list(texts), model=model, encoding_format="float") as response:
            return await _read(response, MAX_VECTOR_BYTES)

    document = _document(endpoint, _run(endpoint, ask))
    return _vectors(endpoint, document, len(texts)), _usage(document)


def models(endpoint: Endpoint) -> list[str]:
    """Return the names of the server's models. Raises the same exceptions as `chat`."""

    async def ask(client: openai.AsyncOpenAI) -> bytes:
        async with client.models.with_streaming_response.list() as response:
            return await _read(response, MAX_BYTES)

    rows = _document(endpoint, _run(endpoint, ask)).get("data")
    return [str(row.get("id")) for row in rows or () if isinstance(row, dict)]


def _run(endpoint: Endpoint, ask: Callable[[openai.AsyncOpenAI], Awaitable[T]]) -> T:
    try:
        with tracing.http_span("POST", endpoint.base_url, "model"):
            return asyncio.run(_ask(endpoint, ask))
    except _Status as error:
        raise _status_error(endpoint, error) from None
    except _TooLarge:
        raise BadReplyError(f"{_name(endpoint)} sent a reply without an end.") from None
    except (TimeoutError, openai.APITimeoutError) as error:
        raise _too_slow(endpoint, error) from None
    except openai.APIConnectionError as error:
        details = _clean(str(error.__cause__ or error))
        raise ModelUnavailableError(
            f"{_name(endpoint)} cannot be reached ({details}).", failed_fast=True
        ) from None
    except Exception as error:  # noqa: BLE001 - openai does not wrap errors while reading
        details = _clean(f"{type(error).__name__}: {error}")
        raise ModelUnavailableError(
            f"{_name(endpoint)} closed the connection during its reply ({details}).",
            failed_fast=True,
            may_cost=True,
        ) from None


async def _ask(endpoint: Endpoint, ask: Callable[[openai.AsyncOpenAI], Awaitable[T]]) -> T:
    async with asyncio.timeout(endpoint.timeout):
        async with openai.AsyncOpenAI(
            base_url=endpoint.base_url,
            api_key=endpoint.key or "none",
            max_retries=0,  # feeds.ai.language.calling retries, within budget and circuit
            timeout=openai.Timeout(endpoint.timeout, connect=endpoint.connect_timeout),
            http_client=openai.DefaultAsyncHttpxClient(event_hooks={"response": [_check_status]}),
        ) as client:
            return await ask(client)


async def _check_status(response: Any) -> None:
    """Read the start of an error response, because openai would read all of it."""
    if response.status_code < 400:
        return
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) >= MAX_ERROR_BYTES:
            break
    wait = retry_after(response.headers, datetime.now(UTC))
    raise _Status(response.status_code, wait, body[:MAX_ERROR_BYTES])


async def _read(response: Any, most: int) -> bytes:
    chunks, size = [], 0
    async for chunk in response.iter_bytes():
        chunks.append(chunk)
        size += len(chunk)
        if size > most:
            raise _TooLarge
    return b"".join(chunks)


def _name(endpoint: Endpoint) -> str:
    return f"The language model at {endpoint.display_url}"


def _status_error(endpoint: Endpoint, error: _Status) -> LanguageModelError:
    """Turn an error status into an exception with a message for the operator. The API key is
    removed from the server's message."""
    message = (
        error.server_message.replace(endpoint.key, "…") if endpoint.key else error.server_message
    )
    name, details = _name(endpoint), f" It says: {message}" if message else ""
    status = error.status
    if status == _BUSY and "quota" not in error.server_message:
        return ModelBusyError(
            f"{name} is overloaded (429).{details}", failed_fast=True, retry_after=error.wait
        )
    if (status >= 500 and status != 501) or status == _TIMED_OUT:
        return ModelUnavailableError(
            f"{name} failed ({status}).{details}", failed_fast=True, retry_after=error.wait
        )
    reason = {
        401: "rejected the key (401): check OPENAI_API_KEY.",
        403: f"denied access (403): check OPENAI_API_KEY.{details}",
        404: f"was not found (404): check OPENAI_BASE_URL and the model's name.{details}",
        429: f"has no quota left for this account (429).{details}",
    }.get(status, f"rejected the request ({status}).{details}")
    return ModelRefusedError(f"{name} {reason}", status=status, server_message=error.server_message)


def _too_slow(endpoint: Endpoint, error: BaseException) -> ModelUnavailableError:
    if type(error.__cause__).__name__ == "ConnectTimeout":
        seconds = f"{endpoint.connect_timeout:g} s"
        return ModelUnavailableError(f"{_name(endpoint)} could not be reached in {seconds}.")
    message = f"{_name(endpoint)} did not answer in {endpoint.timeout:g} s."
    return ModelUnavailableError(message, may_cost=True)


def _document(endpoint: Endpoint, body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise BadReplyError(f"{_name(endpoint)} did not reply with a JSON object.")
    return document


def _reply(endpoint: Endpoint, document: dict[str, Any]) -> Reply:
    try:
        choice = document["choices"][0]
        message = choice["message"]
        content = message.get("content") or ""
        if isinstance(content, list):  # some servers send parts
            content = "".join(str(part.get("text", "")) for part in content)
    except (KeyError, IndexError, TypeError, AttributeError):
        raise BadReplyError(f"{_name(endpoint)} did not reply with a chat completion.") from None
    if message.get("refusal") and not content:
        raise BadReplyError(f"{_name(endpoint)} declined: {_clean(str(message['refusal']))}")
    return Reply(str(content), _usage(document), choice.get("finish_reason") == "length")


def _usage(document: dict[str, Any]) -> Usage | None:
    usage = document.get("usage")
    if not isinstance(usage, dict):
        return None
    counts = (usage.get("prompt_tokens"), usage.get("completion_tokens", 0))
    read, written = (n if isinstance(n, int) and 0 <= n < 10**9 else -1 for n in counts)
    return Usage(read, written) if min(read, written) >= 0 else None


def _vectors(endpoint: Endpoint, document: dict[str, Any], count: int) -> list[list[float]]:
    """The vectors in the order of their `index`."""
    try:
        rows = {row.get("index", n): row["embedding"] for n, row in enumerate(document["data"])}
        vectors = [[float(number) for number in rows[n]] for n in range(count)]
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        raise BadReplyError(f"{_name(endpoint)} did not return a vector for each text.") from None
    if len({len(vector) for vector in vectors}) > 1 or not all(vectors):
        raise BadReplyError(f"{_name(endpoint)} returned vectors of different lengths.")
    return vectors


def _error_message(body: bytes) -> str:
    """Extract the message from an error body. Servers use different formats."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return _clean(body.decode(errors="replace"))
    error = document.get("error", document) if isinstance(document, dict) else document
    if isinstance(error, dict):
        parts = (error.get("message") or error.get("detail"), error.get("code"), error.get("param"))
        return _clean(" ".join(str(part) for part in parts if part))
    return _clean(str(error))


def _clean(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_MAX_MESSAGE]
