"""The one place that speaks to a model's server, over the `openai` client.

Each call has a limit of time as a whole, so that a server which sends a byte now and then is
left as soon as one which is silent, and a limit of size.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import openai

from feeds.ai.language.errors import (
    BadReplyError,
    LanguageModelError,
    ModelAwayError,
    ModelBusyError,
    ModelRefusedError,
)
from feeds.ai.language.types import Endpoint, Reply, Usage
from feeds.core.http_headers import retry_after

T = TypeVar("T")

MAX_BYTES = 4 * 1024 * 1024
MAX_VECTOR_BYTES = 64 * 1024 * 1024
MAX_COMPLAINT = 16 * 1024
_SAID = 300
_BUSY, _TIMED_OUT = 429, 408


class _Status(openai.OpenAIError):
    """A status that is no success, with the beginning of what the server said."""

    def __init__(self, status: int, wait: float | None, body: bytes) -> None:
        super().__init__(str(status))
        self.status = status
        self.wait = wait
        self.said = _complaint(body)


class _TooLarge(Exception):
    pass


def chat(endpoint: Endpoint, body: dict[str, Any]) -> Reply:
    """One chat completion. Must not be called where an event loop runs.

    Raises ModelAwayError, ModelBusyError, ModelRefusedError, BadReplyError.
    """

    async def ask(client: openai.AsyncOpenAI) -> bytes:
        async with client.chat.completions.with_streaming_response.create(**body) as response:
            return await _read(response, MAX_BYTES)

    return _reply(endpoint, _document(endpoint, _run(endpoint, ask)))


def embed(
    endpoint: Endpoint, texts: Sequence[str], model: str
) -> tuple[list[list[float]], Usage | None]:
    """A vector for each text, in their order. Raises as `chat` does."""

    async def ask(client: openai.AsyncOpenAI) -> bytes:
        create = client.embeddings.with_streaming_response.create
        async with create(input=list(texts), model=model, encoding_format="float") as response:
            return await _read(response, MAX_VECTOR_BYTES)

    document = _document(endpoint, _run(endpoint, ask))
    return _vectors(endpoint, document, len(texts)), _usage(document)


def models(endpoint: Endpoint) -> list[str]:
    """The names that the server lists. Raises as `chat` does."""

    async def ask(client: openai.AsyncOpenAI) -> bytes:
        async with client.models.with_streaming_response.list() as response:
            return await _read(response, MAX_BYTES)

    rows = _document(endpoint, _run(endpoint, ask)).get("data")
    return [str(row.get("id")) for row in rows or () if isinstance(row, dict)]


def _run(endpoint: Endpoint, ask: Callable[[openai.AsyncOpenAI], Awaitable[T]]) -> T:
    try:
        return asyncio.run(_ask(endpoint, ask))
    except _Status as error:
        raise _in_words(endpoint, error) from None
    except _TooLarge:
        raise BadReplyError(f"{_name(endpoint)} sent a reply without an end.") from None
    except (TimeoutError, openai.APITimeoutError) as error:
        raise _too_slow(endpoint, error) from None
    except openai.APIConnectionError as error:
        said = _clean(str(error.__cause__ or error))
        raise ModelAwayError(
            f"{_name(endpoint)} cannot be reached ({said}).", is_brief=True
        ) from None
    except Exception as error:  # noqa: BLE001 - what breaks a body off is not wrapped by openai
        said = _clean(f"{type(error).__name__}: {error}")
        raise ModelAwayError(
            f"{_name(endpoint)} closed the connection during its reply ({said}).",
            is_brief=True,
            may_cost=True,
        ) from None


async def _ask(endpoint: Endpoint, ask: Callable[[openai.AsyncOpenAI], Awaitable[T]]) -> T:
    async with asyncio.timeout(endpoint.timeout):
        async with openai.AsyncOpenAI(
            base_url=endpoint.base_url,
            api_key=endpoint.key or "none",
            max_retries=0,  # ours know of the budget, the circuit and the time
            timeout=openai.Timeout(endpoint.timeout, connect=endpoint.connect_timeout),
            http_client=openai.DefaultAsyncHttpxClient(event_hooks={"response": [_check_status]}),
        ) as client:
            return await ask(client)


async def _check_status(response: Any) -> None:
    """Before openai reads the whole of an error, however long it is."""
    if response.status_code < 400:
        return
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) >= MAX_COMPLAINT:
            break
    wait = retry_after(response.headers, datetime.now(UTC))
    raise _Status(response.status_code, wait, body[:MAX_COMPLAINT])


async def _read(response: Any, most: int) -> bytes:
    chunks, size = [], 0
    async for chunk in response.iter_bytes():
        chunks.append(chunk)
        size += len(chunk)
        if size > most:
            raise _TooLarge
    return b"".join(chunks)


def _name(endpoint: Endpoint) -> str:
    return f"The language model at {endpoint.place}"


def _in_words(endpoint: Endpoint, error: _Status) -> LanguageModelError:
    told = error.said.replace(endpoint.key, "…") if endpoint.key else error.said
    name, said = _name(endpoint), f" It says: {told}" if told else ""
    status = error.status
    if status == _BUSY and "quota" not in error.said:
        return ModelBusyError(
            f"{name} is overloaded (429).{said}", is_brief=True, retry_after=error.wait
        )
    if (status >= 500 and status != 501) or status == _TIMED_OUT:
        return ModelAwayError(
            f"{name} failed ({status}).{said}", is_brief=True, retry_after=error.wait
        )
    what = {
        401: "rejected the key (401): check OPENAI_API_KEY.",
        403: f"denied access (403): check OPENAI_API_KEY.{said}",
        404: f"was not found (404): check OPENAI_BASE_URL and the model's name.{said}",
        429: f"has no quota left for this account (429).{said}",
    }.get(status, f"rejected the request ({status}).{said}")
    return ModelRefusedError(f"{name} {what}", status=status, said=error.said)


def _too_slow(endpoint: Endpoint, error: BaseException) -> ModelAwayError:
    if type(error.__cause__).__name__ == "ConnectTimeout":
        seconds = f"{endpoint.connect_timeout:g} s"
        return ModelAwayError(f"{_name(endpoint)} could not be reached in {seconds}.")
    said = f"{_name(endpoint)} did not answer in {endpoint.timeout:g} s."
    return ModelAwayError(said, may_cost=True)


def _document(endpoint: Endpoint, body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadReplyError(f"{_name(endpoint)} did not reply with a JSON object.")
    return found


def _reply(endpoint: Endpoint, document: dict[str, Any]) -> Reply:
    try:
        choice = document["choices"][0]
        message = choice["message"]
        content = message.get("content") or ""
        if isinstance(content, list):  # as parts, by some servers
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
    """By their `index`, which servers may give in any order."""
    try:
        rows = {row.get("index", n): row["embedding"] for n, row in enumerate(document["data"])}
        vectors = [[float(number) for number in rows[n]] for n in range(count)]
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        raise BadReplyError(f"{_name(endpoint)} did not return a vector for each text.") from None
    if len({len(vector) for vector in vectors}) > 1 or not all(vectors):
        raise BadReplyError(f"{_name(endpoint)} returned vectors of different lengths.")
    return vectors


def _complaint(body: bytes) -> str:
    """The message in an error, as the various servers wrap it."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return _clean(body.decode(errors="replace"))
    error = found.get("error", found) if isinstance(found, dict) else found
    if isinstance(error, dict):
        parts = (error.get("message") or error.get("detail"), error.get("code"), error.get("param"))
        return _clean(" ".join(str(part) for part in parts if part))
    return _clean(str(error))


def _clean(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_SAID]
