"""`manage.py poll`: polls sources now."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from ainews_site.infra.gc_tuning import freeze_loaded_objects
from ainews_site.infra.stopping import request_stop
from feeds.ingest.clean.links import canonical_url
from feeds.models import Source

if TYPE_CHECKING:
    from feeds.ingest.outcome import Outcome
    from feeds.ingest.poll import PollReport

MAX_LINES = 40


class Command(BaseCommand):
    help = "Polls sources: those that are due, all, or those with the given URLs."
    requires_system_checks = ("ainews",)  # the others load every page

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("urls", nargs="*", metavar="URL", help="URLs of existing sources")
        parser.add_argument("--all", action="store_true", help="poll all sources, due or not")
        parser.add_argument(
            "--due", action="store_true", help="poll the sources that are due (default)"
        )

    def handle(self, *, urls: list[str], all: bool, due: bool, **_: Any) -> None:
        if sum((bool(urls), all, due)) > 1:
            raise CommandError("Use only one of: URLs, --all, --due.")
        ids = list(select_sources(urls, all).values_list("pk", flat=True))
        if not ids:
            return self.stdout.write("No source is due. Use --all to poll regardless of schedule.")
        from feeds.coordination.announce import wait_until_announced  # late: most runs end above
        from feeds.ingest.pipeline import ingest_sources

        freeze_loaded_objects()
        with (
            ends_at_next_source(),
            tqdm(total=len(ids), unit="source", desc="Polling", leave=False, disable=None) as bar,
        ):
            report = ingest_sources(ids, on_result=lambda outcome: advance(bar, outcome))
        wait_until_announced()
        if report.offline:
            return self.stdout.write(
                "No feed can be reached. Check the network; polling resumes in 5 minutes."
            )
        self.print_report(report)
        if report.crashed:
            raise SystemExit(1)

    def print_report(self, report: "PollReport") -> None:
        lines = [outcome for outcome in report.outcomes if not outcome.is_unchanged]
        lines.sort(key=lambda outcome: (bool(outcome.error), -len(outcome.stored.new_ids)))
        if lines:
            self.stdout.write(f"{'new':>6} {'updated':>7} {'status':>6} {'ms':>6}  source")
        for outcome in lines[:MAX_LINES]:
            self.stdout.write(_line(outcome))
        if len(lines) > MAX_LINES:
            self.stdout.write(f"       … and {len(lines) - MAX_LINES} more")
        self.stdout.write(_summary(report))


@contextmanager
def ends_at_next_source() -> Iterator[None]:
    """Let SIGTERM end the poll at its next source. The others are given back, and stay due."""
    before = signal.signal(signal.SIGTERM, lambda *_: request_stop())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def select_sources(urls: list[str], every: bool) -> Any:
    """The sources to poll. Raises CommandError for a URL that is not the URL of a source."""
    if every:
        return Source.objects.filter(status=Source.Status.ACTIVE)
    if not urls:
        return Source.objects.due()
    candidates = {canonical_url(url) or url for url in urls} | set(urls)
    sources = Source.objects.filter(url__in=candidates)
    known = set(sources.values_list("url", flat=True))
    unknown = [url for url in urls if not {url, canonical_url(url)} & known]
    if unknown:
        addresses = ", ".join(unknown)
        raise CommandError(f"No source has the URL {addresses}; add it with add_source.")
    return sources


def advance(bar: Any, outcome: "Outcome") -> None:
    bar.set_postfix_str(str(outcome.source)[:40], refresh=False)
    bar.update()


def _line(outcome: "Outcome") -> str:
    stored = outcome.stored
    numbers = f"{len(stored.new_ids):>6} {len(stored.updated_ids):>7} {outcome.status or '-':>6}"
    line = f"{numbers} {outcome.milliseconds:>6}  {str(outcome.source)[:60]}"
    return f"{line}\n{'':>29}{outcome.error}" if outcome.error else line


def _summary(report: "PollReport") -> str:
    parts = [
        f"{_count(report.new, 'new item')}, {report.updated} updated",
        f"from {_count(len(report.outcomes), 'source')} in {report.seconds:.1f} s",
    ]
    if report.failed:
        parts.append(f"{len(report.failed)} failed and will be retried")
    if report.busy:
        parts.append(f"{report.busy} are being polled by another process")
    return "; ".join((" ".join(parts[:2]), *parts[2:])) + "."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
