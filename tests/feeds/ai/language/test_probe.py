"""The doctor says what is wrong with the language model, and what to do."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from feeds.ai.language.prices import DOLLAR, Price
from feeds.ai.language.probe import problem
from feeds.models import LanguageMonth, LanguageServer
from tests.model_server import MODEL, ModelServer

pytestmark = pytest.mark.django_db


def spend(dollars: float) -> None:
    month = timezone.now().date().replace(day=1)
    LanguageMonth.objects.create(month=month, cost=int(dollars * DOLLAR))


def test_a_model_that_is_there_is_no_problem(llm: ModelServer) -> None:
    assert problem() == ""


def test_a_server_that_is_away_is_said(settings: Any) -> None:
    settings.LLM_MODEL, settings.OPENAI_BASE_URL = MODEL, "http://127.0.0.1:9/v1"

    assert "cannot be reached" in problem()
    assert "Check that it is running, and OPENAI_BASE_URL." in problem()


def test_a_model_that_the_server_lacks_is_said(llm: ModelServer, settings: Any) -> None:
    settings.LLM_MODEL = "huge-model"

    assert f"has no huge-model: set LLM_MODEL to one of {MODEL}." in problem()


def test_a_circuit_that_is_open_is_said(llm: ModelServer) -> None:
    later = timezone.now() + timedelta(minutes=5)
    LanguageServer.objects.create(name="it", open_until=later, problem="It failed (500).")

    assert problem() == "it is paused: It failed (500)."


def test_money_that_is_nearly_spent_is_said(llm: ModelServer, settings: Any) -> None:
    settings.LLM_MONTHLY_BUDGET = 10
    settings.LLM_PRICES = {MODEL: Price(1, 1)}
    spend(8.5)

    assert "85% of the month's budget of $10.00 is spent" in problem()


def test_a_budget_without_a_price_is_said(llm: ModelServer, settings: Any) -> None:
    settings.LLM_MONTHLY_BUDGET = 10

    assert f"LLM_PRICES lacks {MODEL}" in problem()
