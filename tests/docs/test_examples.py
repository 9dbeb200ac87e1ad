"""The examples in the documents work: commands and options exist, requests are answered."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from accounts.models import ApiToken, User
from ainews_site.cli import start_parser
from ainews_site.settings import env
from digests.channels.webhook import KIND, signed
from digests.models import Channel
from tests.docs.blocks import ROOT, parser_of
from tests.docs.examples import LANGUAGES, Example, examples, words_of
from tests.feeds.ingest.server import reply, serve
from tests.make import make_item, make_source, make_user

EXAMPLES = examples()
SHELL = [one for one in EXAMPLES if one.language in ("sh", "console")]
REQUESTS = [one for one in EXAMPLES if one.language == "sh" and "curl " in one.body]
FEED = b"<rss version='2.0'><channel><title>Lab</title></channel></rss>"
OTHER_PROGRAMS = (
    *(
        "createdb",
        "journalctl",
        "kubectl",
        "litestream",
        "pipx",
        "podman",
        "podman-compose",
        "sh",
        "sudo",
    ),
    *("timeout", "uv"),
)


def of(language: str) -> list[Example]:
    return [one for one in EXAMPLES if one.language == language]


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_an_example_has_a_language_that_is_checked(example: Example) -> None:
    assert example.language in LANGUAGES


@pytest.mark.parametrize("example", SHELL, ids=str)
def test_every_command_of_an_example_exists(example: Example) -> None:
    assert example.commands

    for command in example.commands:
        check(words_of(command), example)


def check(words: list[str], example: Example) -> None:
    """Fail unless the program exists and would accept these arguments."""
    if not words or words[0] in ("export", "cd"):
        if "&&" in words:
            check(words[words.index("&&") + 1 :], example)
        return
    program, arguments = words[0], words[1:]
    if program == "sudo":
        check_inner(arguments, example)
    elif program == "make":
        check_make(arguments)
    elif program.endswith("python") and arguments[:1] == ["manage.py"]:
        check_manage(arguments[1], arguments[2:])
    elif program.endswith("python") and arguments[:1] == ["-m"]:
        assert find_module(arguments[1]), arguments[1]
    elif program == "ainews":
        check_ainews(arguments)
    elif program == "tests/install.sh":
        assert (ROOT / program).exists() and (
            ROOT / "requirements" / f"{arguments[0]}.txt"
        ).exists()
    elif program == "curl":
        assert example in REQUESTS
    else:
        assert program in OTHER_PROGRAMS, program
        assert example.reason, f"{program} is not run: say why before the block"


def check_inner(arguments: list[str], example: Example) -> None:
    """What `sudo` runs, where it is ours; files that it copies exist."""
    assert example.reason, "sudo is not run: say why before the block"
    inner = arguments[2:] if arguments[:1] == ["-u"] else arguments
    if inner[0] in ("make",) or inner[0].startswith((".venv/", "tests/")):
        check(inner, example)
    if inner[0] == "cp":
        names = [name.removeprefix("/opt/ainews/app/") for name in inner[1:-1]]
        names = [name for name in names if not name.startswith("-")]
        assert [name for name in names if not (ROOT / name).exists()] == []


def check_make(arguments: list[str]) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    goals = [word for word in arguments if "=" not in word and not word.startswith(("-", "/"))]

    assert set(goals) <= set(targets)


def check_ainews(arguments: list[str]) -> None:
    """`ainews` has two commands that manage.py lacks, and all of its."""
    if arguments[0] in ("run", "demo"):
        start_parser(arguments[0]).parse_args(arguments[1:])
    else:
        check_manage(arguments[0], arguments[1:])


def check_manage(name: str, arguments: list[str]) -> None:
    parser_of(name).parse_args(arguments)


def find_module(name: str) -> bool:
    path = ROOT / Path(*name.split("."))
    return name == "pytest" or path.with_suffix(".py").exists() or path.is_dir()


def test_an_option_that_does_not_exist_is_found() -> None:
    with pytest.raises((SystemExit, Exception), match=r"unrecognized|--no-such"):
        check_manage("backup", ["--no-such-option"])


@pytest.mark.parametrize("example", of("ini"), ids=str)
def test_settings_of_an_example_exist(example: Example) -> None:
    names = re.findall(r"^([A-Z_]+)=", example.body, re.MULTILINE)

    assert set(names) <= set(env.scheme)
    assert names or "shared_buffers" in example.body


@pytest.fixture
def reader() -> User:
    reader = make_user("reader")
    make_item(make_source("lab", reader=reader), "Open weights are here", text="Open weights.")
    return reader


def run(script: str, live_server: LiveServer, reader: User, program: list[str]) -> str:
    variables = {"SITE": live_server.url, "TOKEN": ApiToken.issue(reader, "examples")}
    done = subprocess.run(
        [*program, script], env=os.environ | variables, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.mark.parametrize("example", REQUESTS, ids=str)
@pytest.mark.django_db(transaction=True)
def test_requests_of_an_example_are_answered(
    example: Example, live_server: LiveServer, reader: User, settings: Any
) -> None:
    settings.FETCH_ALLOW_PRIVATE = ["127.0.0.1"]
    with serve({"/feed.xml": reply(200, FEED)}) as server:
        for command in example.commands:
            if command.startswith("curl "):
                script = command.replace("https://lab.example", server.url)
                script = script.replace("https://app.example", server.url)
                answer = run(f"{script} --fail-with-body -sS", live_server, reader, ["sh", "-c"])
                assert '"detail"' not in answer


@pytest.mark.parametrize("example", of("python"), ids=str)
@pytest.mark.django_db(transaction=True)
def test_python_of_an_example_runs(example: Example, live_server: LiveServer, reader: User) -> None:
    printed = run(example.body, live_server, reader, [sys.executable, "-c"])

    assert ("Open weights are here" in printed) == ("print(" in example.body)


def test_the_documented_check_of_a_webhook_accepts_ours() -> None:
    (example,) = [one for one in of("python") if "is_genuine" in one.body]
    scope: dict[str, Any] = {}
    exec(example.body, scope)
    request = signed("a-key", "digest", {"content": {}}, "digest-1")
    secret = KIND.secret(Channel(key="a-key"))

    assert scope["is_genuine"](secret, request.headers, request.body)
    assert not scope["is_genuine"](secret, request.headers, request.body + b" ")
