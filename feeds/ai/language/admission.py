"""Limits of calls to language models: budget, circuit breaker and concurrency.

They are stored in the database, so that all processes and machines share them without Redis. A
call is admitted with its maximum cost reserved, and settled when it has ended. Each is one short
transaction that locks the row of the month.
"""

import logging
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Sum

from ainews_site.infra import db_clock
from feeds.ai.language.errors import (
    BudgetExceededError,
    LanguageModelError,
    ModelBusyError,
    ModelUnavailableError,
)
from feeds.ai.language.measure import count_use
from feeds.ai.language.prices import DOLLAR, cost_of
from feeds.ai.language.types import Usage
from feeds.models import LanguageCall, LanguageMonth, LanguageServer, LanguageUse

logger = logging.getLogger(__name__)

MAX_FAILURES = 3
"""Consecutive failures that open the circuit of a server."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(minutes=10)
"""How long the circuit stays open: the first time, doubled after each failed trial, and at most."""
WARN_AT = 0.8
LOST_AFTER = 5
"""A call that has not ended after so many times LLM_TIMEOUT was lost with its process."""


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A call to admit, with the estimated maximum of its tokens."""

    server: LanguageServer
    model: str
    purpose: str
    tokens_in: int
    tokens_out: int

    @property
    def cost(self) -> int:
        """The maximum cost in billionths of a dollar."""
        return cost_of(self.model, self.tokens_in, self.tokens_out, settings.LLM_PRICES)


def admit(request: CallRequest) -> LanguageCall:
    """Admit a call and reserve its cost.

    Raises BudgetExceededError, ModelBusyError (concurrency), ModelUnavailableError (open circuit).
    """
    now = db_clock.exact_now()
    with transaction.atomic():
        month = _lock_month(now.date())
        _account_for_lost(now)
        server = LanguageServer.objects.get(pk=request.server.pk)
        _check_circuit(server, now)
        running = LanguageCall.objects.all()
        if running.filter(server=server).count() >= settings.LLM_CONCURRENCY:
            raise ModelBusyError(
                f"{settings.LLM_CONCURRENCY} calls to {server} are already running."
            )
        _check_budget(month, request)
        if server.open_until:  # the pause is over: only this call may try
            server.open_until = now + _pause(server.failures)
            server.save(update_fields=["open_until"])
        return LanguageCall.objects.create(
            server=server,
            model=request.model,
            purpose=request.purpose,
            started_at=now,
            until=now + timedelta(seconds=settings.LLM_TIMEOUT * LOST_AFTER),
            tokens_in=request.tokens_in,
            tokens_out=request.tokens_out,
            cost=request.cost,
        )


def settle(call: LanguageCall, usage: Usage, *, has_failed: bool) -> None:
    """Replace the reservation of a call that has ended by its actual cost."""
    with transaction.atomic():
        month = _lock_month(call.started_at.date())
        if LanguageCall.objects.filter(pk=call.pk).delete()[0]:
            _record_use(call, usage, has_failed)
            _warn_once(month)


def reserved_usage(call: LanguageCall) -> Usage:
    """The usage that was reserved for a call, for calls whose actual usage is unknown."""
    return Usage(call.tokens_in, call.tokens_out, is_estimated=True)


def record_success(server: LanguageServer) -> None:
    """Close the circuit of a server."""
    rows = LanguageServer.objects.filter(pk=server.pk).exclude(failures=0, open_until=None)
    rows.update(failures=0, open_until=None, problem="")


def record_failure(server: LanguageServer, error: LanguageModelError, pause: float = 0.0) -> None:
    """Count a failure of a server.

    The circuit opens after MAX_FAILURES in a row, or at once if `pause` (seconds) is given.
    """
    now = db_clock.exact_now()
    with transaction.atomic():
        row = LanguageServer.objects.select_for_update().get(pk=server.pk)
        row.failures += 1
        row.problem = str(error)[:600]
        if pause:
            row.open_until = now + min(timedelta(seconds=pause), LONGEST_PAUSE)
        elif row.failures >= MAX_FAILURES:
            row.open_until = now + _pause(row.failures)
        row.save(update_fields=["failures", "problem", "open_until"])


def cost_of_month(day: date) -> int:
    """The cost of the month of `day` so far, in billionths of a dollar."""
    month = LanguageMonth.objects.filter(month=day.replace(day=1)).first()
    return month.cost if month else 0


def share_spent(day: date) -> float:
    """The share of the month's budget that is spent; 0 without a budget."""
    budget = settings.LLM_MONTHLY_BUDGET * DOLLAR
    return cost_of_month(day) / budget if budget else 0.0


def _lock_month(day: date) -> LanguageMonth:
    """Lock the row of the month of `day`, which serialises all admissions."""
    first = day.replace(day=1)
    LanguageMonth.objects.get_or_create(month=first)
    return LanguageMonth.objects.select_for_update().get(month=first)


def _check_circuit(server: LanguageServer, now: datetime) -> None:
    if server.open_until and now < server.open_until < now + db_clock.FURTHEST:
        seconds = (server.open_until - now).total_seconds()
        raise ModelUnavailableError(f"{server} is paused for {seconds:.0f} s: {server.problem}")


def _check_budget(month: LanguageMonth, request: CallRequest) -> None:
    budget = settings.LLM_MONTHLY_BUDGET * DOLLAR
    if not budget:
        return
    reserved = LanguageCall.objects.aggregate(cost=Sum("cost"))["cost"] or 0
    if month.cost + reserved + request.cost > budget:
        raise BudgetExceededError(
            f"The month's budget of ${settings.LLM_MONTHLY_BUDGET:.2f} is used up: "
            f"${month.cost / DOLLAR:.2f} spent, ${reserved / DOLLAR:.2f} reserved."
        )


def _pause(failures: int) -> timedelta:
    doublings: int = max(0, min(failures - MAX_FAILURES, 10))
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)


def _account_for_lost(now: datetime) -> None:
    """Settle the calls of processes that died: their reservations count as spent."""
    for call in LanguageCall.objects.filter(until__lt=now).select_related("server"):
        _record_use(call, reserved_usage(call), has_failed=True)
        call.delete()


def _record_use(call: LanguageCall, used: Usage, has_failed: bool) -> None:
    cost = cost_of(call.model, used.tokens_in, used.tokens_out, settings.LLM_PRICES)
    day = call.started_at.date()
    row, _ = LanguageUse.objects.get_or_create(day=day, model=call.model, purpose=call.purpose)
    LanguageUse.objects.filter(pk=row.pk).update(
        calls=F("calls") + 1,
        failed=F("failed") + int(has_failed),
        estimated=F("estimated") + int(used.is_estimated),
        tokens_in=F("tokens_in") + used.tokens_in,
        tokens_out=F("tokens_out") + used.tokens_out,
        cost=F("cost") + cost,
    )
    count_use(call.server.name, used, cost / DOLLAR, has_failed=has_failed)
    month, _ = LanguageMonth.objects.get_or_create(month=day.replace(day=1))
    LanguageMonth.objects.filter(pk=month.pk).update(cost=F("cost") + cost)


def _warn_once(month: LanguageMonth) -> None:
    share = share_spent(month.month)
    if share < WARN_AT:
        return
    unwarned = LanguageMonth.objects.filter(pk=month.pk, warned_at=None)
    if unwarned.update(warned_at=db_clock.now()):
        logger.warning(
            "language_budget_nearly_spent month=%s share=%.0f%% budget=$%.2f",
            month,
            share * 100,
            settings.LLM_MONTHLY_BUDGET,
        )
