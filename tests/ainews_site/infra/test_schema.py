"""A database without tables, or of an older version, is reported in one clear sentence."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from ainews_site.infra.invocation import _assignments
from tests.ainews_site.infra.test_replicas import wait_until
from tests.services import Postgres, free_port
from tests.workers import ROOT, environment, migrate

OPML = "<opml version='2.0'><body><outline xmlUrl='http://127.0.0.1:9/feed'/></body></opml>"
COMMANDS = [
    "archive --list",
    "archive --older-than 180d",
    "backup",
    "create_token reader --name mine",
    "digest",
    "digest --global",
    "evaluate digest",
    "export_opml",
    "import_opml {opml}",
    "load_catalogue",
    "poll",
    "poll --all",
    "serve",
    "signin_link reader",
    "worker",
]


def manage(env: dict[str, str], command: str) -> "subprocess.CompletedProcess[str]":
    arguments = [sys.executable, "manage.py", *command.split()]
    return subprocess.run(
        arguments, cwd=ROOT, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


def check(done: "subprocess.CompletedProcess[str]", command: str, sentence: str) -> None:
    said = done.stdout + done.stderr
    assert done.returncode == 1, (command, said)
    assert "Traceback" not in said, (command, said)
    assert sentence in said, (command, said)
    assert "manage.py migrate" in said, (command, said)
    lines = [line for line in said.splitlines() if line.strip()]
    assert len(lines) == 1, (command, said)


@pytest.fixture
def empty(tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path / "data", "", PORT=str(free_port()), LOG_LEVEL="INFO")


@pytest.fixture
def opml(tmp_path: Path) -> Path:
    file = tmp_path / "feeds.opml"
    file.write_text(OPML)
    return file


@pytest.mark.timeout(600)
def test_each_command_says_that_there_are_no_tables(empty: dict[str, str], opml: Path) -> None:
    for command in COMMANDS:
        named = command.format(opml=opml)
        check(manage(empty, named), command, "has no tables yet")
    # Django's own commands print the number of missing migrations first.
    for command in ("changepassword reader", "createsuperuser --noinput --username me"):
        done = manage(empty, command)
        assert done.returncode == 1
        assert "has no tables yet" in done.stderr
        assert "Traceback" not in done.stderr


def test_the_doctor_does_not_check_what_needs_tables(empty: dict[str, str]) -> None:
    report = manage(empty, "doctor").stdout
    assert "no such table" not in report
    assert "queue: not checked, because the database needs manage.py migrate." in report


def test_a_database_of_an_older_version_is_distinguished_from_an_empty_one(
    empty: dict[str, str],
) -> None:
    migrate(empty)
    assert manage(empty, "migrate -v0 feeds 0011").returncode == 0
    for command in ("serve", "worker"):
        check(manage(empty, command), command, "is from an older version")
    said = manage(empty, "doctor").stdout
    assert "is from an older version" in said


@pytest.mark.timeout(300)
def test_the_same_on_postgresql(postgres: Postgres, tmp_path: Path, opml: Path) -> None:
    postgres.sql("CREATE DATABASE without_tables")
    url = postgres.url("without_tables")
    env = environment(tmp_path / "data", url, PORT=str(free_port()))
    for command in ("poll", "signin_link reader", "worker", "serve", f"import_opml {opml}"):
        done = manage(env, command)
        check(done, command, "The database without_tables has no tables yet")
    secret = manage(env | {"DATABASE_URL": url.replace("@", ":a-secret@", 1)}, "poll")
    check(secret, "poll", ":PASSWORD@")
    assert "a-secret" not in secret.stderr


def test_the_command_that_helps_can_be_copied(empty: dict[str, str]) -> None:
    """The command contains the DATA of this database."""
    said = manage(empty, "poll").stderr
    assert f"DATA={empty['DATA']}" in said
    command = said.partition("Run ")[2].partition("manage.py migrate")[0] + "manage.py migrate"
    plain = {name: value for name, value in os.environ.items() if name != "DATA"}
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, env=plain, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert manage(empty, "poll").returncode == 0


def test_pages_say_that_the_site_is_not_set_up_and_go_on_when_it_is(
    empty: dict[str, str],
) -> None:
    port = empty["PORT"]
    Path(empty["DATA"]).mkdir()
    log = Path(empty["DATA"], "log")
    command = [sys.executable, "-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", port]
    with log.open("ab") as output:
        web = subprocess.Popen(
            [*command, "ainews_site.asgi:application"],
            cwd=ROOT,
            env=empty,
            stdout=output,
            stderr=output,
        )
    address = f"http://127.0.0.1:{port}"
    cookies = {"sessionid": "a" * 32}

    def ready() -> int:
        try:
            return httpx.get(f"{address}/health/ready", timeout=20).status_code
        except httpx.HTTPError:
            return 0

    try:
        wait_until(lambda: ready() == 503)
        for path in ("/", "/river/", "/signin/", "/admin/", "/api/v1/items/"):
            answer = httpx.get(f"{address}{path}", cookies=cookies, timeout=20)
            assert answer.status_code == 503, path
            assert "not set up for this version" in answer.text, path
            assert empty["DATA"] not in answer.text
            assert answer.headers["Retry-After"]
        said = log.read_text()
        assert "has no tables yet" in said
        assert "Traceback" not in said
        migrate(empty)
        wait_until(lambda: ready() == 200)
        assert httpx.get(f"{address}/river/", cookies=cookies).status_code == 302
        assert httpx.get(f"{address}/signin/").status_code == 200
    finally:
        web.kill()
        web.wait()


@pytest.mark.parametrize(
    ("given", "file", "expected"),
    [
        ({}, {}, []),
        ({"DATA": "/x/var"}, {}, []),
        ({"DATA": ""}, {}, []),
        ({"DATA": "/x/var/demo"}, {}, ["DATA=/x/var/demo"]),
        ({"DATA": "/some where"}, {}, ["DATA='/some where'"]),
        ({"DATA": "/a"}, {"DATA": "/a"}, []),
        ({"DATA": "/x/var"}, {"DATA": "/a"}, ["DATA=/x/var"]),
        ({}, {"DATA": "/a", "DATABASE_URL": "postgres://h/n"}, []),
        ({"DATABASE_URL": ""}, {}, []),
        ({"DATABASE_URL": ""}, {"DATABASE_URL": "postgres://h/n"}, ["DATABASE_URL=''"]),
        ({"DATABASE_URL": "sqlite:////b"}, {}, ["DATABASE_URL=sqlite:////b"]),
    ],
)
def test_the_command_has_the_assignments_that_another_terminal_needs(
    given: dict[str, str], file: dict[str, str], expected: list[str]
) -> None:
    assert _assignments(given, file, Path("/x/var")) == expected
