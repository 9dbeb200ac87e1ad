"""Prices are read from a table; what cannot be a price is said."""

import pytest

from feeds.ai.language.prices import Price, cost_of, estimate_tokens, read_prices


def test_a_table_of_prices_is_read() -> None:
    found = read_prices(["gpt-4o-mini=0.15/0.60", " a=b/c:1=2/3 ", "embedder=0.02"])

    assert found == {
        "gpt-4o-mini": Price(0.15, 0.60),
        "a=b/c:1": Price(2, 3),
        "embedder": Price(0.02, 0),
    }


@pytest.mark.parametrize("entry", ["gpt", "gpt=", "gpt=cheap", "=1/2", "gpt=-1/2", "gpt=nan/1"])
def test_what_is_no_price_is_said(entry: str) -> None:
    with pytest.raises(ValueError, match=entry):
        read_prices([entry])


def test_fifty_thousand_summaries_of_a_small_model_cost_about_twenty_dollars() -> None:
    prices = read_prices(["gpt-4o-mini=0.15/0.60"])

    assert 50_000 * cost_of("gpt-4o-mini", 1800, 220, prices) / 1e9 == pytest.approx(20, abs=1)


def test_tokens_are_estimated_by_script() -> None:
    assert estimate_tokens("four letters") < estimate_tokens("人工智能模型发布了")
