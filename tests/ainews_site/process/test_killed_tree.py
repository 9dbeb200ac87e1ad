"""kill -9 of each process of `manage.py serve`: it is replaced, and no process is left over."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from ainews_site.process.echo import Echo, how_it_ended
from ainews_site.process.lifeline import VARIABLE
from tests.services import free_port
from tests.workers import ROOT, Helper, environment, migrate

JOB = "tests.jobs.mark"
DAMAGE = """
import os, sys
if "daphne" in sys.orig_argv:
    print("This machine has no sockets left.", file=sys.stderr, flush=True)
    os._exit(3)
"""


def wait_for(what: Callable[[], object], seconds: float = 90) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    env = environment(tmp_path / "data", "", PORT=str(free_port()), HOST="127.0.0.1")
    migrate(env)
    return env


@contextmanager
def command(env: dict[str, str], *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    with Path(env["DATA"], "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=env, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for left in processes(env):
            left.kill()


def log(env: dict[str, str]) -> str:
    return Path(env["DATA"], "log").read_text(errors="replace")


def processes(env: dict[str, str], but: int = 0) -> list[psutil.Process]:
    """Return all processes with this DATA, whatever their parent."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != but and process.environ().get("DATA") == env["DATA"]:
                found.append(process)
    return [one for one in found if one.pid != os.getpid()]


def answers(env: dict[str, str]) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{env['PORT']}/health", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def tree(supervisor: int) -> dict[str, psutil.Process]:
    """Return the processes by their role. The forks of the cluster are the pool, the pusher and
    the monitor come in the order in which they are made."""
    children = psutil.Process(supervisor).children()
    (web,) = [one for one in children if "daphne" in one.cmdline()]
    (leader,) = [one for one in children if "qcluster" in one.cmdline()]
    (sentinel,) = leader.children()
    pool, monitor, pusher = sorted(sentinel.children(), key=lambda one: one.pid)
    return {
        "web": web,
        "leader": leader,
        "sentinel": sentinel,
        "pool": pool,
        "monitor": monitor,
        "pusher": pusher,
    }


def web_servers(supervisor: int) -> list[psutil.Process]:
    children = psutil.Process(supervisor).children()
    return [child for child in children if "daphne" in child.cmdline()]


def is_whole(supervisor: int) -> bool:
    try:
        return bool(tree(supervisor))
    except (ValueError, psutil.Error):
        return False


def is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def works(env: dict[str, str], helper: Helper, file: Path) -> bool:
    helper.call("send", JOB, "ainews", str(file))
    return answers(env) and wait_for(Path(f"{file}.ended").exists)


@pytest.mark.timeout(400)
def test_a_killed_process_is_replaced_and_no_process_is_left(
    env: dict[str, str], tmp_path: Path
) -> None:
    with Helper(env) as helper, command(env, "serve") as supervisor:
        assert wait_for(lambda: is_whole(supervisor.pid)), log(env)
        for name in ("web", "leader", "sentinel", "pool", "monitor", "pusher"):
            before = tree(supervisor.pid)
            before[name].kill()
            # A cluster that lost a process is replaced as a whole.
            gone = [one for role, one in before.items() if (role == "web") == (name == "web")]
            assert wait_for(lambda gone=gone: not any(map(is_alive, gone))), (name, log(env))
            assert wait_for(lambda: answers(env) and is_whole(supervisor.pid)), (name, log(env))
            assert works(env, helper, tmp_path / name), (name, log(env))
        supervisor.kill()
        supervisor.wait()
        assert wait_for(lambda: not processes(env, helper.process.pid), 10), log(env)


@pytest.mark.parametrize("moment", [0.05, 0.4, 1.5])
def test_a_killed_start_leaves_no_process_at_any_moment(env: dict[str, str], moment: float) -> None:
    """The children may still be starting."""
    with command(env, "serve") as supervisor:
        assert wait_for(lambda: len(processes(env)) > 1)
        time.sleep(moment)
        supervisor.kill()
        supervisor.wait()
        assert wait_for(lambda: not processes(env), 15), processes(env)


def test_a_killed_worker_leaves_no_process(env: dict[str, str]) -> None:
    with command(env, "worker") as supervisor:
        assert wait_for(lambda: len(processes(env)) >= 11), log(env)
        supervisor.kill()
        supervisor.wait()
        assert wait_for(lambda: not processes(env), 10), processes(env)


def test_without_a_signal_of_the_kernel_children_check_their_parent(tmp_path: Path) -> None:
    """This is how it works on systems other than Linux."""
    child = (
        "import os, time; from ainews_site.process import lifeline;"
        "lifeline._request_signal = lambda: False; lifeline.follow_parent(with_forks=True);"
        "os.fork(); print(os.getpid(), flush=True); time.sleep(60)"
    )
    parent = (
        "import subprocess, sys, os; from ainews_site.process import lifeline;"
        f"subprocess.run([sys.executable, '-c', {child!r}], env=os.environ | lifeline.for_child())"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    pids = [int(process.stdout.readline()) for _ in range(2)]
    process.kill()
    process.wait()
    process.stdout.close()
    assert wait_for(lambda: not any(psutil.pid_exists(pid) for pid in pids), 10)


def test_a_grandchild_does_not_mistake_the_grandparent_for_its_parent() -> None:
    code = (
        "import os; from ainews_site.process import lifeline; lifeline.follow_parent();"
        f"print({VARIABLE!r} in os.environ)"
    )
    env = os.environ | {VARIABLE: str(os.getpid())}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True)
    assert done.stdout.strip() == b"False", done.stderr


def test_a_web_server_that_is_killed_before_its_first_answer_is_started_again(
    env: dict[str, str],
) -> None:
    with command(env, "serve") as supervisor:
        assert wait_for(lambda: web_servers(supervisor.pid))
        web_servers(supervisor.pid)[0].kill()
        assert wait_for(lambda: "AI News is running at" in log(env)), log(env)
        assert answers(env)
        assert "The web server was killed by SIGKILL" in log(env)
        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.wait(60) == 0


def test_a_web_server_that_never_answers_makes_the_start_fail_with_the_reason(
    env: dict[str, str], tmp_path: Path
) -> None:
    damage = tmp_path / "damage"
    damage.mkdir()
    (damage / "sitecustomize.py").write_text(DAMAGE)
    with command(env | {"PYTHONPATH": str(damage)}, "serve") as supervisor:
        assert supervisor.wait(90) == 1
    said = log(env)
    assert "The web server ended with exit status 3 before its first answer." in said
    assert said.count("    This machine has no sockets left.") == 1  # indented, in the reason
    assert "Traceback" not in said


def test_a_web_server_that_is_killed_repeatedly_makes_the_start_fail(env: dict[str, str]) -> None:
    with command(env, "serve") as supervisor:

        def kill_web() -> bool:
            with suppress(psutil.Error):
                for child in psutil.Process(supervisor.pid).children():
                    child.kill()
            return supervisor.poll() is not None

        assert wait_for(kill_web)
        assert supervisor.wait() == 1
    assert log(env).count("was killed by SIGKILL") >= 3
    assert "It wrote nothing." in log(env)


def test_the_output_of_a_child_is_copied_completely(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    code = (
        "import sys; [print('line', n, file=sys.stderr) for n in range(50_000)];"
        "sys.stderr.write('no newline')"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
    assert process.stderr is not None
    echo = Echo(process.stderr)
    process.wait()
    assert echo.last_lines()[-2:] == ["line 49999", "no newline"]
    assert len(echo.last_lines()) <= 15
    lines = capfdbinary.readouterr().err.splitlines()
    assert len(lines) == 50_001


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (None, "does not answer"),
        (0, "ended with exit status 0"),
        (-9, "was killed by SIGKILL (is there enough memory?)"),
        (-11, "was killed by SIGSEGV"),
        (-99, "was killed by signal 99"),
    ],
)
def test_the_end_of_a_process_is_described_in_words(status: int | None, words: str) -> None:
    assert how_it_ended(status) == words
