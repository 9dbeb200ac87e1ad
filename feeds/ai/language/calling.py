"""Make one call to a language model: admit it, retry it if that may help, settle it."""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from feeds.ai.language.admission import (
    LONGEST_PAUSE,
    CallRequest,
    admit,
    record_failure,
    record_success,
    reserved_usage,
    settle,
)
from feeds.ai.language.errors import (
    LanguageModelError,
    ModelBusyError,
    ModelRefusedError,
    ModelUnavailableError,
)
from feeds.ai.language.measure import count_refusal
from feeds.ai.language.types import Usage
from feeds.models import LanguageCall

logger = logging.getLogger(__name__)

ATTEMPTS = 3
FIRST_PAUSE = 0.5
MAX_RETRY_DELAY = 20.0
"""Longest delay in seconds that a server may ask for. If it asks for more, its circuit opens."""
POLL_INTERVAL = 0.5
"""Seconds between attempts to be admitted."""
_PERSISTENT = (401, 403, 404, 429)
"""Status codes for a wrong key, missing rights, a wrong name or an exhausted quota. Other calls
would fail too, so the circuit opens at once."""
T = TypeVar("T")
Ask = Callable[[], tuple[T, Usage]]


def call(request: CallRequest, ask: Ask[T], patience: float) -> T:
    """Run `ask`, which returns (result, usage), and return the result. Raises LanguageModelError.

    Waits up to `patience` seconds to be admitted among LLM_CONCURRENCY calls.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            admitted = _wait_for_admission(request, patience)
        except LanguageModelError:
            count_refusal(request.server.name)
            raise
        try:
            return _run(request, admitted, ask)
        except ModelUnavailableError as error:
            pause = _retry_delay(attempt, error)
            is_trial = (
                admitted.server.open_until is not None
            )  # a trial of an open circuit is not retried
            is_last = attempt == ATTEMPTS or is_trial or pause > MAX_RETRY_DELAY
            if is_last or not error.failed_fast:
                record_failure(request.server, error, error.retry_after or 0.0)
                raise
            logger.info("language_call_repeated seconds=%.1f reason=%s", pause, error)
            time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _run(request: CallRequest, admitted: LanguageCall, ask: Ask[T]) -> T:
    usage, has_failed = reserved_usage(admitted), True
    try:
        result, usage = ask()
        has_failed = False
        record_success(request.server)
        return result
    except ModelUnavailableError as error:
        usage = usage if error.may_cost else Usage(0, 0)
        raise
    except ModelRefusedError as error:
        usage = Usage(0, 0)
        if error.status in _PERSISTENT:
            record_failure(request.server, error, LONGEST_PAUSE.total_seconds())
        else:
            record_success(request.server)  # the server works; the caller may try a simpler request
        raise
    except LanguageModelError:
        record_success(request.server)  # the server works, although the reply is not usable
        raise
    finally:
        settle(admitted, usage, has_failed=has_failed)
        logger.info(
            "language_called model=%s purpose=%s tokens_in=%s tokens_out=%s failed=%s",
            *(request.model, request.purpose, usage.tokens_in, usage.tokens_out, has_failed),
        )


def _wait_for_admission(request: CallRequest, patience: float) -> LanguageCall:
    until = time.monotonic() + patience
    while True:
        try:
            return admit(request)
        except ModelBusyError:
            if time.monotonic() >= until:
                raise
        time.sleep(POLL_INTERVAL * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not cryptography


def _retry_delay(attempt: int, error: ModelUnavailableError) -> float:
    """The delay before a retry: as the server asks, or else exponential backoff. With jitter, so
    that calls that failed together are not retried together."""
    if error.retry_after is not None:
        return error.retry_after + random.uniform(0, FIRST_PAUSE)  # noqa: S311 - jitter, not cryptography
    return FIRST_PAUSE * (1 << attempt) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not cryptography
