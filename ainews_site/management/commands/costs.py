"""`manage.py costs` prints what this installation uses, and what that costs."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ainews_site.costs.measure import Usage, measure
from ainews_site.costs.tiers import LANGUAGE, Prices, Tier, read_prices


class Command(BaseCommand):
    help = (
        "Prints the items, bytes, CPU time and language model tokens of a month, the tier they are"
        " in, and its cost."
    )
    requires_system_checks = ("ainews",)  # the others load every page

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON for programs")
        parser.add_argument(
            "--prices",
            type=Path,
            metavar="FILE",
            help="TOML file of current prices; default: `DATA/prices.toml`, if it exists",
        )

    def handle(self, *, json: bool, prices: Path | None, **_: Any) -> None:
        known, usage = self._prices(prices), measure()
        tier = known.tier_for(usage.readers, usage.database_bytes)
        if json:
            self._print_json(usage, tier, known)
        else:
            self._print(usage, tier, known)

    def _prices(self, file: Path | None) -> Prices:
        file = file or _own_file()
        if file is None:
            return Prices()
        try:
            return read_prices(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CommandError(f"{file}: {error}") from error

    def _print_json(self, usage: Usage, tier: Tier, prices: Prices) -> None:
        total = tier.with_language(usage.language_dollars)
        costs = {
            "tier": tier.name,
            "dollars": total,
            "dollars_a_reader": _share(total, usage.readers),
            "dollars_per_1000_items": _share(total * 1000, usage.new_items),
            "prices_checked": prices.checked and prices.checked.isoformat(),
        }
        self.stdout.write(json.dumps(usage.as_json() | costs, indent=1))

    def _print(self, usage: Usage, tier: Tier, prices: Prices) -> None:
        self._heading(f"A month, measured over {usage.days:.1f} days")
        if usage.is_young:
            self.stdout.write(
                "  Too short to tell: first fetches read all that feeds have collected. Run this"
                " again in a few days."
            )
        self._line("readers", f"{usage.readers:,}")
        self._line("new items", f"{usage.new_items:,}")
        self._line("fetches", f"{usage.fetches:,}, {_size(usage.fetched_bytes)}")
        self._line(
            "database",
            f"{_size(usage.database_bytes)} for {usage.items:,} items,"
            f" {usage.item_bytes:,} bytes each",
        )
        self._line("CPU", _cpu(usage))
        self._print_language(usage)
        self._print_tier(usage, tier, prices)

    def _print_language(self, usage: Usage) -> None:
        if not usage.language:
            self._line("language model", "not used")
            return
        self._heading(f"{'Language model':16}{'calls':>10}{'tokens in':>14}{'out':>12}{'$':>10}")
        for use in usage.language:
            numbers = f"{use.calls:10,}{use.tokens_in:14,}{use.tokens_out:12,}{use.dollars:10,.2f}"
            self.stdout.write(f"  {use.month:14}{numbers}")

    def _print_tier(self, usage: Usage, tier: Tier, prices: Prices) -> None:
        self._heading(f"Tier: {tier.name}, in dollars a month")
        for part in tier.parts:
            if part.name == LANGUAGE:
                self._line(part.name, f"{usage.language_dollars:8.2f}  spent in 30 days")
            else:
                self._line(part.name, f"{part.dollars:8.2f}  {part.product}")
        total = tier.with_language(usage.language_dollars)
        self._line("total", f"{total:8.2f}")
        if usage.readers:
            self._line("a reader", f"{total / usage.readers:8.2f}")
        if usage.new_items:
            self._line("1,000 items", f"{total * 1000 / usage.new_items:8.2f}")
        if prices.checked:
            self.stdout.write(f"\nPrices of {prices.checked}.")
        else:
            self.stdout.write(
                "\nPrices are those of the project's first plan and were never checked. Put today's"
                f" into {settings.DATA / 'prices.toml'}; see docs/costs.md."
            )

    def _heading(self, text: str) -> None:
        self.stdout.write(self.style.MIGRATE_HEADING(f"\n{text}"))

    def _line(self, name: str, value: str) -> None:
        self.stdout.write(f"  {name:16}{value}")


def _own_file() -> Path | None:
    file = Path(settings.DATA) / "prices.toml"
    return file if file.is_file() else None


def _share(dollars: float, number: int) -> float | None:
    return dollars / number if number else None


def _size(size: int) -> str:
    return f"{size / 10**9:,.2f} GB" if size >= 10**9 else f"{size / 10**6:,.1f} MB"


def _cpu(usage: Usage) -> str:
    processes = usage.processes
    if not processes.number:
        return "not measured: no process of AI News has run here for a minute"
    return (
        f"{usage.cpu_hours:,.1f} hours, {processes.cores:.3f} cores,"
        f" by {processes.number} processes on this machine"
    )
