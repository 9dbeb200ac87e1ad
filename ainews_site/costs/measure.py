"""What this installation stores, fetches, computes and asks of language models."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.models import Count, Max, Min, Sum
from django.db.models.functions import TruncMonth

from accounts.models import User
from ainews_site.costs.processes import Processes
from ainews_site.costs.processes import measure as measure_processes
from ainews_site.infra import db_clock
from feeds.ai.language.prices import DOLLAR
from feeds.models import FetchLog, ItemKey, LanguageUse

MONTH = timedelta(days=30)
"""Fetch logs are kept for as long."""
LEAST = timedelta(days=1)
"""What a younger installation has counted is not multiplied by more than MONTH / LEAST."""
YOUNG = timedelta(days=3)
"""The first fetch of a source reads all that its feed has collected. Until so long afterwards it
makes a month look larger than it is."""
MONTHS = 12


@dataclass(frozen=True, slots=True)
class LanguageMonth:
    month: str
    calls: int
    tokens_in: int
    tokens_out: int
    dollars: float


@dataclass(frozen=True, slots=True)
class Usage:
    """`fetches`, `fetched_bytes`, `new_items` and `language_dollars` are of a month of 30 days,
    which younger installations extrapolate from `days`."""

    readers: int
    items: int
    database_bytes: int
    days: float
    fetches: int
    fetched_bytes: int
    new_items: int
    processes: Processes
    language_dollars: float
    language: list[LanguageMonth]

    @property
    def is_young(self) -> bool:
        return self.days < YOUNG / timedelta(days=1)

    @property
    def item_bytes(self) -> int:
        return self.database_bytes // self.items if self.items else 0

    @property
    def cpu_hours(self) -> float:
        return self.processes.cores * MONTH.total_seconds() / 3600

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "item_bytes": self.item_bytes, "cpu_hours": self.cpu_hours}


def measure() -> Usage:
    now = db_clock.now()
    logs = FetchLog.objects.filter(at__gte=now - MONTH)
    sums = logs.aggregate(
        first=Min("at"), number=Count("pk"), size=Sum("size"), new=Sum("new", default=0)
    )
    span = now - (sums["first"] or now)
    times = MONTH / max(span, LEAST)
    return Usage(
        readers=User.objects.filter(is_active=True, subscriptions__isnull=False).distinct().count(),
        items=ItemKey.objects.aggregate(newest=Max("seq"))["newest"] or 0,
        database_bytes=database_bytes(),
        days=span / timedelta(days=1),
        fetches=round(sums["number"] * times),
        fetched_bytes=round((sums["size"] or 0) * times),
        new_items=round(sums["new"] * times),
        processes=measure_processes(),
        language_dollars=_language_dollars(now),
        language=language_months(),
    )


def database_bytes() -> int:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            return int(cursor.fetchone()[0])
    name = str(connection.settings_dict["NAME"])
    files = [Path(name + suffix) for suffix in ("", "-wal")]
    return sum(file.stat().st_size for file in files if file.is_file())


def _language_dollars(now: datetime) -> float:
    uses = LanguageUse.objects.filter(day__gt=(now - MONTH).date())
    return (uses.aggregate(cost=Sum("cost"))["cost"] or 0) / DOLLAR


def language_months() -> list[LanguageMonth]:
    """Return the use of language models by month, the newest first."""
    months = (
        LanguageUse.objects.order_by()
        .annotate(month=TruncMonth("day"))
        .values("month")
        .annotate(number=Sum("calls"), read=Sum("tokens_in"), written=Sum("tokens_out"))
        .annotate(spent=Sum("cost"))
        .order_by("-month")[:MONTHS]
    )
    return [
        LanguageMonth(
            f"{use['month']:%Y-%m}",
            use["number"],
            use["read"],
            use["written"],
            use["spent"] / DOLLAR,
        )
        for use in months
    ]
