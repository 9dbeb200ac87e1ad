"""Make one call as it should be made: let in, tried again where that may help, accounted for."""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from feeds.ai.language.admission import (
    LONGEST_PAUSE,
    Wanted,
    admit,
    at_most,
    failed,
    settle,
    succeeded,
)
from feeds.ai.language.errors import (
    LanguageModelError,
    ModelAwayError,
    ModelBusyError,
    ModelRefusedError,
)
from feeds.ai.language.types import Usage
from feeds.models import LanguageCall

log = logging.getLogger(__name__)

ATTEMPTS = 3
FIRST_PAUSE = 0.5
LONGEST_WAIT = 20.0
"""Seconds that a server may ask to wait; for longer it is left alone."""
LOOKS_AGAIN = 0.5
_NEEDS_A_PERSON = (401, 403, 404, 429)
"""Key, rights, name or quota: no other call will fare better for a while."""
T = TypeVar("T")
Ask = Callable[[], tuple[T, Usage]]


def call(wanted: Wanted, ask: Ask[T], patience: float) -> T:
    """What `ask` gives, besides its usage. Raises LanguageModelError.

    Waits `patience` seconds for a place among LLM_CONCURRENCY.
    """
    for attempt in range(1, ATTEMPTS + 1):
        place = _wait_for_place(wanted, patience)
        try:
            return _ask(wanted, place, ask)
        except ModelAwayError as error:
            pause = _pause(attempt, error)
            is_trial = place.server.open_until is not None  # one call, and nobody comes after it
            is_last = attempt == ATTEMPTS or is_trial or pause > LONGEST_WAIT
            if is_last or not error.is_brief:
                failed(wanted.server, error, error.retry_after or 0.0)
                raise
            log.info("language_call_repeated seconds=%.1f reason=%s", pause, error)
            time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _ask(wanted: Wanted, place: LanguageCall, ask: Ask[T]) -> T:
    usage, has_failed = at_most(place), True
    try:
        found, usage = ask()
        has_failed = False
        succeeded(wanted.server)
        return found
    except ModelAwayError as error:
        usage = usage if error.may_cost else Usage(0, 0)
        raise
    except ModelRefusedError as error:
        usage = Usage(0, 0)
        if error.status in _NEEDS_A_PERSON:
            failed(wanted.server, error, LONGEST_PAUSE.total_seconds())
        else:
            succeeded(wanted.server)  # it is there, and may be asked in a simpler way
        raise
    except LanguageModelError:
        succeeded(wanted.server)  # it answers, if not as was wished
        raise
    finally:
        settle(place, usage, has_failed=has_failed)
        log.info(
            "language_called model=%s purpose=%s tokens_in=%s tokens_out=%s failed=%s",
            *(wanted.model, wanted.purpose, usage.tokens_in, usage.tokens_out, has_failed),
        )


def _wait_for_place(wanted: Wanted, patience: float) -> LanguageCall:
    until = time.monotonic() + patience
    while True:
        try:
            return admit(wanted)
        except ModelBusyError:
            if time.monotonic() >= until:
                raise
        time.sleep(LOOKS_AGAIN * random.uniform(0.5, 1.5))  # noqa: S311 - no secret


def _pause(attempt: int, error: ModelAwayError) -> float:
    """What the server asks for, else twice as long each time; a little more by chance, so
    that those who failed together do not come back together."""
    if error.retry_after is not None:
        return error.retry_after + random.uniform(0, FIRST_PAUSE)  # noqa: S311 - no secret
    return FIRST_PAUSE * (1 << attempt) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
