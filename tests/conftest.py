"""Services that several tests share, each started at most once a run."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import Client

from accounts.models import User
from ainews_site.infra.process_state import reset_process_state
from tests.make import make_user
from tests.network import only_this_machine
from tests.openapi import answers_checked
from tests.prepared import shared_folder
from tests.services import TEMPLATE_VARIABLE, PgBouncer, Postgres, Redis, missing

BROWSER = Path(__file__).parent / "browser"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database-only",
        action="store_true",
        help="leave out the tests that do not use the database of the settings",
    )


def pytest_configure() -> None:
    shared_folder()  # before xdist starts processes, which share it


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # Processes steal from the end of what others have. The tests in a browser come first so that
    # one process runs them: each starts the product and a Chromium, for 16 seconds of CPU time.
    items.sort(key=lambda item: BROWSER not in item.path.parents)
    if config.getoption("--database-only"):
        left_out = [item for item in items if not _uses_database(item)]
        items[:] = [item for item in items if _uses_database(item)]
        config.hook.pytest_deselected(items=left_out)


def _uses_database(item: pytest.Item) -> bool:
    fixtures = {"db", "transactional_db"} & set(getattr(item, "fixturenames", ()))
    return bool(fixtures) or item.get_closest_marker("django_db") is not None


@pytest.fixture(autouse=True, scope="session")
def _this_machine_alone() -> Iterator[None]:
    with only_this_machine():
        yield


@pytest.fixture(autouse=True, scope="session")
def _own_data(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Give each test process its own DATA, as rows of two processes have the same ids and
    `machine_lock` would keep one of them waiting for the other."""
    settings.DATA = tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Keep the SQLite database of the tests in a file, as that of a reader is. One in memory
    locks a table while another thread reads it."""
    if connection.vendor == "sqlite":
        path = tmp_path_factory.mktemp("database") / "tests.sqlite3"
        connection.settings_dict["TEST"]["NAME"] = str(path)
    elif template := os.environ.get(TEMPLATE_VARIABLE):
        connection.settings_dict["TEST"]["TEMPLATE"] = template


@pytest.fixture(autouse=True, scope="session")
def _answers_as_described() -> Iterator[None]:
    with answers_checked():
        yield


@pytest.fixture(autouse=True)
def nothing_cached() -> None:
    """Rows of another test may have the same numbers."""
    cache.clear()
    reset_process_state()


@pytest.fixture
def reader(db: None) -> User:
    return make_user()


@pytest.fixture
def page(reader: User) -> Client:
    """A client that is signed in as the reader."""
    client = Client()
    client.force_login(reader)
    return client


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of its own, ready to be replicated and to archive; its databases are made
    by the tests that need them."""
    if gone := missing():
        pytest.skip(f"not installed: {', '.join(gone)}")
    with Postgres(wal_level="replica", max_wal_senders="5") as server:
        yield server


@pytest.fixture(scope="session")
def redis() -> Iterator[Redis]:
    if gone := missing():
        pytest.skip(f"not installed: {', '.join(gone)}")
    with Redis() as server:
        yield server


@pytest.fixture(scope="session")
def pgbouncer(postgres: Postgres) -> Iterator[PgBouncer]:
    with PgBouncer(postgres) as server:
        yield server
