"""What a page may cost, and whether it costs more. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

SLACK = 1.2
"""A row is beyond its budget if it is beyond it by more than a fifth."""
QUERIES_HEADER = "X-Queries"
"""The header that benchmarks/counting_wsgi.py adds to an answer."""
SQLITE, POSTGRES = "sqlite", "postgres"


@dataclass(frozen=True, slots=True)
class Budget:
    """CPU milliseconds of a request on both databases, and its number of queries."""

    sqlite: float
    postgres: float
    queries: int

    def cpu(self, database: str) -> float:
        return self.sqlite if database == SQLITE else self.postgres


BUDGETS = {
    "stories": Budget(12, 15, 6),
    "river": Budget(10, 12, 6),
    "story of 30": Budget(8, 10, 8),
    "story of thousands": Budget(8, 10, 8),
    "item": Budget(6, 8, 6),
    "search, rare word": Budget(8, 12, 6),
    "search, common word": Budget(14, 20, 6),
    "sources": Budget(12, 15, 6),
    "sources, 2,000 followed": Budget(15, 20, 6),
    "preferences": Budget(10, 12, 6),
    "taste": Budget(10, 12, 8),
    "trends": Budget(8, 10, 8),
    "digest": Budget(6, 7, 6),
    "API items": Budget(6, 8, 4),
    "API stories": Budget(8, 10, 4),
    "API sources": Budget(6, 8, 4),
}
BYTES = {
    "requests": 12,
    "HTML, KB raw": 100,
    "HTML, KB sent": 20,
    "JavaScript, KB sent": 40,
}
"""Budgets of the page of stories with everything that it loads. A KB is 1,000 bytes."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a request costs: CPU milliseconds and queries, when nothing has changed since the
    request before, and when a new item has arrived and the reader has acted; and bytes of the
    body."""

    cpu: float
    queries: int
    cpu_after_change: float
    queries_after_change: int
    raw: int
    sent: int

    @property
    def differs_after_change(self) -> bool:
        is_dearer = self.cpu_after_change > self.cpu * SLACK + 0.5
        return is_dearer or self.queries_after_change != self.queries


def is_beyond(value: float, budget: float) -> bool:
    return value > budget * SLACK


def overruns(page: str, cost: Cost, database: str) -> list[str]:
    """The names of what the page costs too much of."""
    budget = BUDGETS[page]
    values = {
        "CPU": (cost.cpu, budget.cpu(database)),
        "queries": (cost.queries, budget.queries),
    }
    return [name for name, pair in values.items() if is_beyond(*pair)]


HEADING = (
    f"{'':24} {'CPU ms':>7} {'changed':>7} {'budget':>6} {'queries':>8} {'changed':>7}"
    f" {'budget':>6} {'KB raw':>7} {'sent':>6}"
)


def line_of(page: str, cost: Cost, database: str) -> str:
    """Return the line of the table below HEADING."""
    budget, beyond = BUDGETS[page], overruns(page, cost, database)
    cpu, queries = f"{cost.cpu_after_change:.1f}", str(cost.queries_after_change)
    if not cost.differs_after_change:
        cpu = queries = ""
    return (
        f"{page:24} {cost.cpu:7.1f} {cpu:>7} {budget.cpu(database):6g} {cost.queries:8}"
        f" {queries:>7} {budget.queries:6} {cost.raw / 1000:7.1f} {cost.sent / 1000:6.1f}"
        f"{_mark(beyond)}"
    )


def table_of_bytes(values: dict[str, float]) -> list[str]:
    """Return the lines of what the page of stories loads. Some of them have no budget."""
    if not values:
        return []
    lines = ["", f"{'stories, all it loads':24} {'':7} {'budget':>14}"]
    for name, value in values.items():
        budget = BYTES.get(name)
        mark = _mark([name]) if budget and is_beyond(value, budget) else ""
        lines.append(f"{name:24} {value:7.1f} {budget or '':14}{mark}")
    return lines


def _mark(beyond: Sequence[str]) -> str:
    return f"  BEYOND: {', '.join(beyond)}" if beyond else ""


def count_beyond(costs: dict[str, Cost], values: dict[str, float], database: str) -> int:
    """The number of rows of both tables that are beyond their budget."""
    pages = sum(bool(overruns(page, cost, database)) for page, cost in costs.items())
    return pages + sum(
        is_beyond(values[name], BYTES[name]) for name in BYTES.keys() & values.keys()
    )
