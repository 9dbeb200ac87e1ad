"""The tiers of the first plan, with their prices. Pure.

The prices are those that the plan named. Nobody has checked them since, and they change: an
operator replaces them by a file; see `read_prices`.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

LANGUAGE = "language model"
"""The part whose price is not that of the plan, but what was spent."""
MEGABYTE = 10**6


@dataclass(frozen=True, slots=True)
class Part:
    """A thing to rent, in dollars a month."""

    name: str
    product: str
    dollars: float


@dataclass(frozen=True, slots=True)
class Tier:
    """`readers` and `database_bytes` are the most that it is for."""

    name: str
    readers: float
    database_bytes: float
    parts: tuple[Part, ...]

    def fits(self, readers: int, database_bytes: int) -> bool:
        return readers <= self.readers and database_bytes <= self.database_bytes

    @property
    def planned(self) -> float:
        """The total of the plan."""
        return sum(part.dollars for part in self.parts)

    def with_language(self, dollars: float) -> float:
        """The total with what was spent on language models."""
        return dollars + sum(part.dollars for part in self.parts if part.name != LANGUAGE)


TIERS = (
    Tier(
        "free",
        10,
        500 * MEGABYTE,
        (
            Part("pages", "Vercel", 0),
            Part("database", "Supabase, 500 MB", 0),
            Part("Redis", "Upstash, 10,000 requests a day", 0),
            Part("workers", "Railway, 500 hours a month", 0),
            Part(LANGUAGE, "OpenAI's free tier, or Ollama", 0),
        ),
    ),
    Tier(
        "production",
        100,
        10_000 * MEGABYTE,
        (
            Part("pages", "Vercel Pro", 20),
            Part("database", "Neon Pro, 10 GB", 25),
            Part("Redis", "Upstash Pro", 10),
            Part("workers", "Railway", 10),
            Part(LANGUAGE, "GPT-4o-mini, 50,000 summaries", 20),
        ),
    ),
    Tier(
        "enterprise",
        math.inf,
        math.inf,
        (
            Part("pages", "Vercel Enterprise, or self-hosted", 150),
            Part("database", "AWS RDS PostgreSQL", 100),
            Part("Redis", "ElastiCache", 50),
            Part("workers", "ECS or Kubernetes", 100),
            Part(LANGUAGE, "GPT-4, or Llama at no price", 200),
            Part("monitoring", "Datadog or New Relic", 50),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Prices:
    """`checked` is the day on which the operator looked them up; None for those of the plan."""

    tiers: tuple[Tier, ...] = TIERS
    checked: date | None = None

    def tier_for(self, readers: int, database_bytes: int) -> Tier:
        return next(tier for tier in self.tiers if tier.fits(readers, database_bytes))


def read_prices(text: str) -> Prices:
    """Parse TOML: `checked = 2026-11-30`, and for each tier `[production]` with `database = 30.0`.

    What it leaves out keeps the price of the plan. Raises ValueError with a sentence.
    """
    given = tomllib.loads(text)
    checked = given.pop("checked", None)
    if not isinstance(checked, date):
        raise ValueError("checked must be the day on which the prices were looked up.")
    names = [tier.name for tier in TIERS]
    if unknown := sorted(given.keys() - set(names)):
        raise ValueError(f"There is no tier {unknown[0]}; the tiers are {', '.join(names)}.")
    if wrong := [name for name, prices in given.items() if not isinstance(prices, dict)]:
        raise ValueError(f"{wrong[0]} must be a table of prices, which begins with [{wrong[0]}].")
    return Prices(tuple(_changed(tier, given.get(tier.name, {})) for tier in TIERS), checked)


def _changed(tier: Tier, given: Mapping[str, object]) -> Tier:
    names = [part.name for part in tier.parts]
    if unknown := sorted(given.keys() - set(names)):
        raise ValueError(f"{tier.name} has no {unknown[0]}; it has {', '.join(names)}.")
    for name, dollars in given.items():
        is_number = isinstance(dollars, int | float) and not isinstance(dollars, bool)
        if not is_number or not 0 <= float(str(dollars)) < math.inf:
            raise ValueError(f"{name} of {tier.name} must be dollars a month.")
    parts = tuple(
        replace(part, dollars=float(str(given[part.name]))) if part.name in given else part
        for part in tier.parts
    )
    return replace(tier, parts=parts)
