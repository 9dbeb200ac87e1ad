"""The base class of migrate_to_postgres and migrate_to_sqlite: options and messages."""

import sqlite3
import warnings
from pathlib import Path
from typing import Any, ClassVar

import environ
import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connections

from ainews_site.backup.pooler import PooledError
from ainews_site.infra.db_errors import in_words
from ainews_site.infra.invocation import PROGRAM
from ainews_site.transfer.run import Transfer, TransferError

_SQLITE_OPTIONS = {
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA cache_size=-64000;"
    "PRAGMA temp_store=MEMORY"
}
_NAMES = {"sqlite3": "SQLite", "postgresql": "PostgreSQL"}


class TransferCommand(BaseCommand):
    """Migrates a database of the engine `origin` to one of the engine `goal`."""

    goal: ClassVar[str]
    goal_example: ClassVar[str]
    origin: ClassVar[str]
    origin_option: str
    """The setting or option that gave the address of the source."""
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--from",
            dest="origin_url",
            metavar="URL",
            help="database URL of the source; default: DATABASE_URL",
        )
        parser.add_argument(
            "--to",
            dest="goal_url",
            metavar="URL",
            required=True,
            help=f"database URL of the target: {self.goal_example}",
        )

    def handle(self, *, origin_url: str | None, goal_url: str, **_: Any) -> None:
        self.origin_option = "DATABASE_URL" if origin_url is None else "--from"
        if origin_url is None:
            origin_url = settings.DATABASE_URL
        origin = _database(origin_url, self.origin, self.origin_option)
        goal = _database(goal_url, self.goal, "--to")
        if origin["ENGINE"].endswith("sqlite3") and not _exists(origin["NAME"]):
            raise CommandError(f"{self.origin_option}: file not found: {origin['NAME']}.")
        _make_default(goal)
        transfer = Transfer(origin, goal, self.stdout.write)
        try:
            transfer.run()
        except (TransferError, PooledError) as error:
            raise CommandError(str(error)) from None
        except (Error, sqlite3.Error, psycopg.Error) as error:
            raise CommandError(self._explain(error, origin, goal)) from error
        spent = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in transfer.seconds.items())
        self.stdout.write(f"Done: {spent}.")
        self.stdout.write(
            f"Now set DATABASE_URL={_without_password(goal_url)} in .env and restart AI News."
            " The source was not changed; keep it until you are satisfied."
        )

    def _explain(self, error: Exception, origin: dict[str, Any], goal: dict[str, Any]) -> str:
        is_of_source = isinstance(error, sqlite3.Error) == origin["ENGINE"].endswith("sqlite3")
        database, option = (origin, self.origin_option) if is_of_source else (goal, "--to")
        message = in_words(error, database, option) or " ".join(str(error).split())
        end = "" if message.endswith((".", "?")) else "."
        return f"{message}{end} The source was not changed. Run the same command again to resume."


def _database(url: str, engine: str, option: str) -> dict[str, Any]:
    """Return the entry for settings.DATABASES.

    Raises CommandError if `url` is for another engine.
    """
    config = _parse(url)
    kind = config.get("ENGINE", "").rpartition(".")[2]
    name = f"{option} (used because --from is missing)" if option == "DATABASE_URL" else option
    if kind in _NAMES and kind != engine:
        other = "postgres" if (kind == "postgresql") == (option == "--to") else "sqlite"
        raise CommandError(
            f"{name} is a {_NAMES[kind]} URL, not a {_NAMES[engine]} URL. For the opposite"
            f" direction use {PROGRAM} migrate_to_{other}."
        )
    if kind != engine or not config.get("NAME"):
        raise CommandError(f"{name} is not a {_NAMES[engine]} URL; see --help.")
    return config


def _parse(url: str) -> dict[str, Any]:
    """Return the entry for settings.DATABASES, or {} if `url` is invalid."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return dict(environ.Env.db_url_config(url))
        except ValueError:
            return {}


def _exists(name: str) -> bool:
    return Path(name).is_file()


def _make_default(goal: dict[str, Any]) -> None:
    """Make the target Django's default database, which all of the program works on."""
    if goal["ENGINE"].endswith("sqlite3"):
        goal = goal | {"OPTIONS": _SQLITE_OPTIONS}
    connections["default"].close()
    for alias in set(connections.databases) - {"default"}:
        del connections.databases[alias]
    settings.DATABASE_ROUTERS = []
    connections.databases["default"] = connections.configure_settings({"default": goal})["default"]
    del connections["default"]


def _without_password(url: str) -> str:
    head, at, rest = url.rpartition("@")
    return f"{head.rpartition(':')[0]}:…{at}{rest}" if at and head.count(":") > 1 else url
