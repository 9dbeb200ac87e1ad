"""What calls cost. In billionths of a dollar, so that a token costs a whole number. Pure."""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

DOLLAR = 1_000_000_000
_MILLION = 1_000_000


class Price(NamedTuple):
    """Dollars for a million tokens."""

    read: float
    written: float


def read_prices(entries: Iterable[str]) -> dict[str, Price]:
    """`gpt-4o-mini=0.15/0.60` of each; one price alone is for what is read, as embeddings have it.

    Raises ValueError with the entry that is none.
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
    """Billionths of a dollar, rounded up; nothing for a model without a price."""
    price = prices.get(model, Price(0, 0))
    dollars = (tokens_in * price.read + tokens_out * price.written) / _MILLION
    return math.ceil(round(dollars * DOLLAR, 3))


def estimate_tokens(text: str) -> int:
    """About how many tokens a text has: one for four Latin characters, one for each other."""
    latin = sum(character < "\u0250" for character in text)
    return latin // 4 + (len(text) - latin) + 1
