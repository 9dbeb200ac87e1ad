"""Runs a migration: copies and compares rows, then creates indexes and the search index.

If the process is killed, the next run resumes each step where it was.
"""

import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader

from ainews_site.backup.invalidate import invalidate_caches
from ainews_site.infra.invocation import PROGRAM
from ainews_site.transfer.sides import Side, open_side
from ainews_site.transfer.tables import Table, fingerprint, tables
from feeds.core import partitions
from feeds.core.ids import TAIL_BITS
from feeds.search.postgres import index as postgres_index
from feeds.search.sqlite import index as sqlite_index

CHUNK = 5_000
"""Number of rows in a transaction, which a kill undoes."""
REDRAW_SECONDS = 0.5
_TRIES = 2


class TransferError(Exception):
    """The migration is impossible or failed. The message is a sentence for the operator."""


@dataclass
class Transfer:
    """Migrates the database `origin` to `goal`. Both are entries as in settings.DATABASES.

    `goal` must be Django's default database. `seconds` has the duration of each step.
    """

    origin: dict[str, Any]
    goal: dict[str, Any]
    report: Callable[[str], None]
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self) -> None:
        source = open_side(self.origin, is_source=True)
        try:
            self._check_source(source)
            version = source.version()
            target = self._prepare_target()
            try:
                self._move(source, target)
            finally:
                target.close()
            source.commit()  # end the snapshot, to see later changes
            if source.version() != version:
                self.report(
                    "The source changed during the migration. The target lacks those changes."
                    " To include them, stop AI News and migrate into a new database."
                )
        finally:
            source.close()

    def _check_source(self, source: Side) -> None:
        if not source.has("django_migrations"):
            raise TransferError("The source is not an AI News database.")
        done = {(app, name) for app, name in source.rows("SELECT app, name FROM django_migrations")}
        known = set(MigrationLoader(None).disk_migrations or ())
        if missing := sorted(known - done):
            raise TransferError(
                f"The source is older than this version: it lacks {len(missing)} migrations, the"
                f" first {'.'.join(missing[0])}. Run {PROGRAM} migrate on it first; this command"
                " only reads it."
            )
        if newer := sorted(
            name for name in done - known if name[0] in {"feeds", "accounts", "digests"}
        ):
            raise TransferError(
                f"The source was made by a newer version: {'.'.join(newer[0])} is unknown."
            )

    def _prepare_target(self) -> Side:
        """Return the target with all tables. It is empty or has an unfinished migration."""
        target = open_side(self.goal, is_source=False)
        try:
            begun = target.read_note("begun")
            if begun is None:
                self._check_target_is_empty(target)
        finally:
            target.commit()
            target.close()
        if begun is None:
            self._timed("tables", lambda: call_command("migrate", verbosity=0))
        elif begun["source"] != self._name(self.origin):
            raise TransferError(
                f"The target contains an unfinished migration from {begun['source']}. Finish it,"
                " or use an empty database."
            )
        else:
            self.report("Resuming where the last run stopped.")
        return open_side(self.goal, is_source=False)

    def _check_target_is_empty(self, target: Side) -> None:
        """Raise TransferError if the target has rows that a new database does not have."""
        own = {"django_content_type", "auth_permission", "django_q_schedule", "feeds_lease"}
        for table in tables():
            if table.name in own or not target.has(table.name):
                continue
            if rows := target.count(table):
                raise TransferError(
                    f"The target is not empty: {table.name} has {rows} rows. Use a new database;"
                    " nothing was changed."
                )

    @staticmethod
    def _name(config: dict[str, Any]) -> str:
        is_file = config["ENGINE"].endswith("sqlite3")
        place = "" if is_file else f"{config.get('HOST') or ''}:{config.get('PORT') or ''}/"
        return f"{place}{config['NAME']}"

    def _move(self, source: Side, target: Side) -> None:
        if target.read_note("begun") is None:
            self._clear(target)
        wanted = tables()
        if target.read_note("copied") is None:
            self._timed("copying", lambda: self._copy_all(source, target, wanted))
            target.write_note("copied", True)
        if target.read_note("compared") is None:
            self._timed("comparing", lambda: self._compare_all(source, target, wanted))
            target.write_note("compared", True)
        self._timed("indexes", lambda: self._recreate_indexes(target))
        target.set_sequences()
        if problem := target.dangling_references():
            raise TransferError(f"The source is damaged: {problem}")
        target.commit()
        self._timed("search", lambda: self._build_search(target))
        invalidate_caches()  # both databases may share a cache
        target.drop_notes()

    def _clear(self, target: Side) -> None:
        """Empty the tables, and drop indexes and references. How to recreate those is noted."""
        with connection.cursor() as cursor, transaction.atomic():
            if connection.vendor == "postgresql":
                postgres_index.make_empty(cursor)
        if connection.vendor == "sqlite":
            sqlite_index.drop_index(connection)
        connection.close()
        remake = target.drop_indexes()
        for table in tables():
            target.empty(table)
        begun = {"source": self._name(self.origin), "remake": remake}
        target.write_note("begun", begun)  # commits all

    def _copy_all(self, source: Side, target: Side, wanted: list[Table]) -> None:
        if target.vendor == "postgresql":
            day = f"(id >> {TAIL_BITS}) / 86400"
            days = source.rows(f"SELECT DISTINCT {day} FROM feeds_item")  # noqa: S608 - our own
            partitions.ensure_partitions(row[0] * 86400 << TAIL_BITS for row in days)
            connection.close()
        progress = Progress(self.report, sum(source.count(table) for table in wanted))
        for table in wanted:
            self._copy(source, target, table, progress)
        progress.end(f"Copied {progress.done:,} rows of {len(wanted)} tables")

    def _copy(self, source: Side, target: Side, table: Table, progress: "Progress") -> None:
        after = target.last_key(table)
        if copied := target.count(table):
            progress.skip(copied)
        for rows in _chunks(source, table, after):
            target.write(table, rows)
            target.commit()
            progress.step(len(rows), table.name)

    def _compare_all(self, source: Side, target: Side, wanted: list[Table]) -> None:
        progress = Progress(self.report, 2 * sum(source.count(table) for table in wanted))
        for table in wanted:
            for attempt in range(_TRIES):
                ours, theirs = (_sum(side, table, progress) for side in (source, target))
                if ours == theirs:
                    break
                if attempt == _TRIES - 1:
                    raise TransferError(
                        f"{table.name} differs: {ours[0]} rows in the source, {theirs[0]} in the"
                        " target, or different contents. Stop AI News and run this again."
                    )
                # The source changed between a run that was killed and this one.
                target.empty(table)
                target.commit()
                self._copy(source, target, table, Progress(lambda _: None, 0))
        progress.end(f"Compared {progress.done // 2:,} rows: counts and contents are the same")

    def _recreate_indexes(self, target: Side) -> None:
        remake = target.read_note("remake")
        if remake is None:
            remake = target.read_note("begun")["remake"]
        while remake:
            try:
                target.run(remake[0])
            except (psycopg.IntegrityError, sqlite3.IntegrityError) as error:
                raise TransferError(
                    f"The source is damaged: {' '.join(str(error).split())}. Run {PROGRAM} doctor"
                    " on it, repair it, and start with an empty target."
                ) from error
            remake = remake[1:]
            target.write_note("remake", remake)  # commits both

    def _build_search(self, target: Side) -> None:
        if target.vendor == "postgresql":
            done = set(target.read_note("searchable") or [])
            spans = [span for span in partitions.spans() if span.name not in done]
            progress = Progress(self.report, len(spans))
            for span in postgres_index.rebuild_many(spans):
                done.add(span.name)
                target.write_note("searchable", sorted(done))
                progress.step(1, span.name)
            progress.end("")
            with transaction.atomic(), connection.cursor() as cursor:
                postgres_index.finish(cursor)
        else:
            sqlite_index.ensure_index(connection)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")

    def _timed(self, name: str, act: Callable[[], object]) -> None:
        started = time.perf_counter()
        act()
        self.seconds[name] = time.perf_counter() - started


def _chunks(side: Side, table: Table, after: Any) -> Iterator[list[Any]]:
    while rows := side.chunk(table, after, CHUNK):
        yield rows
        after = rows[-1][table.key_at]


def _sum(side: Side, table: Table, progress: "Progress") -> tuple[int, int]:
    """Return (number of rows, fingerprint) of a table."""
    count = total = 0
    for rows in _chunks(side, table, "" if table.has_text_key else -(1 << 63)):
        count += len(rows)
        total = (total + fingerprint(table, rows)) % (1 << 128)
        progress.step(len(rows), table.name)
    return count, total


class Progress:
    """Shows the progress of a step. On a terminal, it is a line that is updated in place."""

    def __init__(self, report: Callable[[str], None], total: int) -> None:
        self.report, self.total, self.done, self.skipped = report, total, 0, 0
        self.started = self.shown = time.monotonic()
        self.is_terminal = sys.stderr.isatty()

    def skip(self, count: int) -> None:
        self.skipped += count

    def step(self, count: int, name: str) -> None:
        self.done += count
        now = time.monotonic()
        if now < self.shown + REDRAW_SECONDS or not self.is_terminal:
            return
        self.shown = now
        share = (self.done + self.skipped) / max(self.total, 1)
        rate = self.done / (now - self.started)
        left = max(self.total - self.done - self.skipped, 0) / max(rate, 0.01)
        filled = int(share * 24)
        sys.stderr.write(
            f"\r[{'#' * filled}{'.' * (24 - filled)}] {share:4.0%}  {rate:,.0f}/s,"
            f" {left:.0f} s left  {name:24.24}"
        )
        sys.stderr.flush()

    def end(self, sentence: str) -> None:
        if self.is_terminal:
            sys.stderr.write("\r" + " " * 78 + "\r")
        if sentence:
            spent = time.monotonic() - self.started
            self.report(f"{sentence}, {self.done / max(spent, 0.001):,.0f}/s.")
