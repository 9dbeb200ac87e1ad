"""A child process parses untrusted documents, and no document can block its parent."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from feeds.core.errors import LimitError, ParseError
from feeds.core.sandbox import Sandbox, SandboxLimits
from tests.feeds.core import sandboxed

HERE = sandboxed.__name__
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxLimits(cpu_seconds=1, seconds=60.0, megabytes=256)) as made:
        yield made


def test_one_child_parses_several_documents(sandbox: Sandbox) -> None:
    first = sandbox.call(f"{HERE}:count", b"abca")
    second = sandbox.call(f"{HERE}:count", b"x" * 5_000_000, word="x")

    assert (first["count"], second["count"]) == (2, 5_000_000)
    assert first["pid"] == second["pid"] != os.getpid()


def test_a_child_that_was_killed_between_calls_is_replaced(sandbox: Sandbox) -> None:
    pid = sandbox.call(f"{HERE}:count", b"")["pid"]
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)

    assert sandbox.call(f"{HERE}:count", b"aa")["count"] == 2


def test_the_child_ends_with_its_sandbox() -> None:
    with Sandbox() as sandbox:
        pid = sandbox.call(f"{HERE}:count", b"")["pid"]

    assert not psutil.pid_exists(pid)


def test_feed_errors_are_raised_in_the_parent(sandbox: Sandbox) -> None:
    with pytest.raises(ParseError, match="not a feed") as caught:
        sandbox.call(f"{HERE}:refuse", b"", kind="parse")
    assert caught.value.alternates == ("https://lab.example/feed",)
    with pytest.raises(LimitError, match="more than 3 elements"):
        sandbox.call(f"{HERE}:refuse", b"", kind="limit")


def test_a_crash_is_logged_and_reported_without_details(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ParseError, match=r"^The document could not be read\.$"):
        sandbox.call(f"{HERE}:refuse", b"", kind="crash")

    assert "a fault of ours" in caplog.text


def test_each_document_has_cpu_time_of_its_own(sandbox: Sandbox) -> None:
    for _ in range(4):
        assert sandbox.call(f"{HERE}:work", b"", seconds=0.6) == 0.6


@pytest.mark.parametrize(
    ("call", "arguments", "words"),
    [
        ("work", {"seconds": 60}, "more than 1 seconds of CPU time"),
        ("allocate", {"megabytes": 1_000}, "more than 256 MiB of memory"),
        ("die", {"how": "abort"}, "more than 256 MiB of memory"),
        ("die", {"how": "segfault"}, "exceeds what the parser can handle"),
        ("die", {"how": "exit"}, "exceeds what the parser can handle"),
    ],
)
def test_a_document_that_exceeds_a_limit_is_reported_and_the_next_is_parsed(
    sandbox: Sandbox, call: str, arguments: dict[str, object], words: str
) -> None:
    with pytest.raises(LimitError, match=words):
        sandbox.call(f"{HERE}:{call}", b"", **arguments)

    assert sandbox.call(f"{HERE}:count", b"aa")["count"] == 2


def test_a_child_that_does_not_answer_is_killed_in_time() -> None:
    started = time.monotonic()

    with (
        Sandbox(SandboxLimits(seconds=2.0)) as sandbox,
        pytest.raises(LimitError, match="more than 2 seconds"),
    ):
        sandbox.call(f"{HERE}:sleep", b"", seconds=60)

    assert time.monotonic() - started < 10


def test_the_child_uses_no_cpu_time_of_the_parent(sandbox: Sandbox) -> None:
    sandbox.call(f"{HERE}:count", b"")
    before = resource.getrusage(resource.RUSAGE_SELF)

    sandbox.call(f"{HERE}:work", b"", seconds=0.8)

    after = resource.getrusage(resource.RUSAGE_SELF)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.3


def test_the_child_has_no_django_no_secret_no_connection_and_writes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "s3cret")
    monkeypatch.setenv("DATABASE_URL", "postgres://user:password@db/news")
    file = tmp_path / "written"

    with Sandbox() as sandbox:
        found = sandbox.call(f"{HERE}:look_around", b"", file=str(file))

    assert found["modules"] == []
    assert not {"SECRET_KEY", "DATABASE_URL"} & set(found["environment"])
    assert found["wrote"] is False
    assert found["sockets"] == 1  # its own


@pytest.mark.parametrize(
    "function",
    [
        "feeds.sources.preview:preview",
        "feeds.sources.opml:read_values",
        "feeds.ingest.parse.article:article_of",
    ],
)
def test_code_that_runs_in_a_sandbox_needs_no_django(function: str) -> None:
    module = function.partition(":")[0]
    code = f"import sys, {module}; sys.exit('django' in sys.modules or 'httpx' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_output_of_a_library_is_not_taken_for_a_response(sandbox: Sandbox) -> None:
    assert sandbox.call(f"{HERE}:chat", b"") == "said"


def test_threads_have_children_of_their_own() -> None:
    def read(number: int) -> int:
        with Sandbox() as sandbox:
            body = b"a" * number
            return sum(int(sandbox.call(f"{HERE}:count", body)["count"]) for _ in range(3))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, range(16))) == [3 * number for number in range(16)]


def test_at_most_two_documents_are_parsed_at_a_time_and_waiting_is_limited() -> None:
    limits = SandboxLimits(seconds=5.0)

    def read(_: int) -> str:
        with Sandbox(limits) as sandbox:
            try:
                sandbox.call(f"{HERE}:sleep", b"", seconds=4.0)
            except LimitError as error:
                return str(error)
        return ""

    with ThreadPoolExecutor(5) as pool:
        said = sorted(pool.map(read, range(5)))

    assert said[-1] == "The server is reading other documents. Try again later."
    assert said[:2] == ["", ""]


def test_the_child_of_a_killed_server_ends() -> None:
    code = (
        "from feeds.core.sandbox import Sandbox, SandboxLimits\n"
        "sandbox = Sandbox(SandboxLimits(cpu_seconds=2))\n"
        f"print(sandbox.call('{HERE}:count', b'')['pid'], flush=True)\n"
        f"sandbox.call('{HERE}:work', b'', seconds=600)\n"
    )
    server = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    assert server.stdout is not None
    child = psutil.Process(int(server.stdout.readline()))

    server.send_signal(signal.SIGKILL)
    server.wait()
    server.stdout.close()

    assert child.wait(60) is None or not child.is_running()
