"""Who may call now: budget, circuit breaker and number of calls, shared by all processes.

They are rows, so that they hold with any number of machines and without Redis. A call is let in,
with the most that it may cost set aside, and accounted for when it has ended, each in one short
transaction that holds the row of the month.
"""

import logging
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Sum

from ainews_site.infra import db_clock
from feeds.ai.language.errors import (
    BudgetSpentError,
    LanguageModelError,
    ModelAwayError,
    ModelBusyError,
)
from feeds.ai.language.prices import DOLLAR, cost_of
from feeds.ai.language.types import Usage
from feeds.models import LanguageCall, LanguageMonth, LanguageServer, LanguageUse

log = logging.getLogger(__name__)

MAX_FAILURES = 3
"""One after another; then the server is left alone."""
PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(minutes=10)
"""The first pause, doubled after each failed trial."""
WARN_AT = 0.8
LOST_AFTER = 5
"""A call that lasts so many times LLM_TIMEOUT was lost with its process."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call that somebody wants to make, with its tokens as they are estimated at most."""

    server: LanguageServer
    model: str
    purpose: str
    tokens_in: int
    tokens_out: int

    @property
    def cost(self) -> int:
        return cost_of(self.model, self.tokens_in, self.tokens_out, settings.LLM_PRICES)


def admit(wanted: Wanted) -> LanguageCall:
    """Let a call in. Raises BudgetSpentError, ModelBusyError, ModelAwayError, each in words."""
    now = db_clock.exact_now()
    with transaction.atomic():
        month = _hold(now.date())
        _account_for_lost(now)
        server = LanguageServer.objects.get(pk=wanted.server.pk)
        _check_circuit(server, now)
        under_way = LanguageCall.objects.all()
        if under_way.filter(server=server).count() >= settings.LLM_CONCURRENCY:
            raise ModelBusyError(
                f"{settings.LLM_CONCURRENCY} calls to {server} are already running."
            )
        _check_budget(month, wanted)
        if server.open_until:  # its pause is over: this call alone tries it
            server.open_until = now + _pause(server.failures)
            server.save(update_fields=["open_until"])
        return LanguageCall.objects.create(
            server=server,
            model=wanted.model,
            purpose=wanted.purpose,
            started_at=now,
            until=now + timedelta(seconds=settings.LLM_TIMEOUT * LOST_AFTER),
            tokens_in=wanted.tokens_in,
            tokens_out=wanted.tokens_out,
            cost=wanted.cost,
        )


def settle(call: LanguageCall, usage: Usage, *, has_failed: bool) -> None:
    """Account for a call that has ended."""
    with transaction.atomic():
        month = _hold(call.started_at.date())
        if LanguageCall.objects.filter(pk=call.pk).delete()[0]:
            _enter(call, usage, has_failed)
            _warn_once(month)


def at_most(call: LanguageCall) -> Usage:
    """What was set aside for it: the estimate of a call of which nothing more is known."""
    return Usage(call.tokens_in, call.tokens_out, is_estimated=True)


def succeeded(server: LanguageServer) -> None:
    known = LanguageServer.objects.filter(pk=server.pk).exclude(failures=0, open_until=None)
    known.update(failures=0, open_until=None, problem="")


def failed(server: LanguageServer, error: LanguageModelError, pause: float = 0.0) -> None:
    """Count a failure; the third in a row, or one with a `pause` in seconds, opens the circuit."""
    now = db_clock.exact_now()
    with transaction.atomic():
        held = LanguageServer.objects.select_for_update().get(pk=server.pk)
        held.failures += 1
        held.problem = str(error)[:600]
        if pause:
            held.open_until = now + min(timedelta(seconds=pause), LONGEST_PAUSE)
        elif held.failures >= MAX_FAILURES:
            held.open_until = now + _pause(held.failures)
        held.save(update_fields=["failures", "problem", "open_until"])


def spent(day: date) -> int:
    """What the month of `day` has cost, in billionths of a dollar."""
    found = LanguageMonth.objects.filter(month=day.replace(day=1)).first()
    return found.cost if found else 0


def share_spent(day: date) -> float:
    """Of the month's budget; 0 where there is none."""
    budget = settings.LLM_MONTHLY_BUDGET * DOLLAR
    return spent(day) / budget if budget else 0.0


def _hold(day: date) -> LanguageMonth:
    first = day.replace(day=1)
    LanguageMonth.objects.get_or_create(month=first)
    return LanguageMonth.objects.select_for_update().get(month=first)


def _check_circuit(server: LanguageServer, now: datetime) -> None:
    if server.open_until and now < server.open_until < now + db_clock.FURTHEST:
        seconds = (server.open_until - now).total_seconds()
        raise ModelAwayError(f"{server} is paused for {seconds:.0f} s: {server.problem}")


def _check_budget(month: LanguageMonth, wanted: Wanted) -> None:
    budget = settings.LLM_MONTHLY_BUDGET * DOLLAR
    if not budget:
        return
    set_aside = LanguageCall.objects.aggregate(cost=Sum("cost"))["cost"] or 0
    if month.cost + set_aside + wanted.cost > budget:
        raise BudgetSpentError(
            f"The month's budget of ${settings.LLM_MONTHLY_BUDGET:.2f} is used up: "
            f"${month.cost / DOLLAR:.2f} spent, ${set_aside / DOLLAR:.2f} reserved."
        )


def _pause(failures: int) -> timedelta:
    doublings: int = max(0, min(failures - MAX_FAILURES, 10))
    return min(PAUSE * (1 << doublings), LONGEST_PAUSE)


def _account_for_lost(now: datetime) -> None:
    """Calls of processes that died: nobody knows, so what was set aside counts as spent."""
    for call in LanguageCall.objects.filter(until__lt=now):
        _enter(call, at_most(call), has_failed=True)
        call.delete()


def _enter(call: LanguageCall, used: Usage, has_failed: bool) -> None:
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
    month, _ = LanguageMonth.objects.get_or_create(month=day.replace(day=1))
    LanguageMonth.objects.filter(pk=month.pk).update(cost=F("cost") + cost)


def _warn_once(month: LanguageMonth) -> None:
    share = share_spent(month.month)
    if share < WARN_AT:
        return
    unwarned = LanguageMonth.objects.filter(pk=month.pk, warned_at=None)
    if unwarned.update(warned_at=db_clock.now()):
        log.warning(
            "language_budget_nearly_spent month=%s share=%.0f%% budget=$%.2f",
            month,
            share * 100,
            settings.LLM_MONTHLY_BUDGET,
        )
