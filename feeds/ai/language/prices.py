"""Prices and token estimates. Costs are integers in billionths of a dollar. Pure."""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

DOLLAR = 1_000_000_000
_MILLION = 1_000_000


class Price(NamedTuple):
    """Dollars per million input (`read`) and output (`written`) tokens."""

    read: float
    written: float


def read_prices(entries: Iterable[str]) -> dict[str, Price]:
    """Parse entries such as `gpt-4o-mini=0.15/0.60`: {model: price}.

    A single price is that of input, which is all that embeddings have. Raises ValueError with the
    entry that is not valid.
    """
    prices = {}
    for entry in entries:
        name, _, numbers = entry.strip().rpartition("=")
        read, _, written = numbers.partition("/")
        try:
            price = Price(float(read), float(written or 0))
        except ValueError:
            raise ValueError(entry) from None
        if not name or not all(0 <= number < math.inf for number in price):
            raise ValueError(entry)
        prices[name] = price
    return prices


def cost_of(model: str, tokens_in: int, tokens_out: int, prices: Mapping[str, Price]) -> int:
    """The cost in billionths of a dollar, rounded up; 0 for a model without a price."""
    price = prices.get(model, Price(0, 0))
    dollars = (tokens_in * price.read + tokens_out * price.written) / _MILLION
    return math.ceil(round(dollars * DOLLAR, 3))


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of a text: one per four Latin characters, one per other character."""
    latin = sum(character < "\u0250" for character in text)
    return latin // 4 + (len(text) - latin) + 1
