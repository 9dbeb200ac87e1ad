"""The settings of the queue, and SQS over real HTTP."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ainews_site.checks import check_queue
from ainews_site.config.queue_url import rabbit_address
from ainews_site.queue.config import cluster_settings, clusters, longest_hold
from tests.services import free_port, is_open
from tests.workers import Helper, Worker, environment, migrate


@pytest.fixture
def sqs() -> Iterator[dict[str, str]]:
    """A fake SQS that answers over HTTP."""
    port = free_port()
    command = [str(Path(sys.executable).parent / "moto_server"), "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            until = time.monotonic() + 100
            while not is_open(port) and time.monotonic() < until:
                time.sleep(0.1)
            yield {
                "QUEUE_URL": "sqs://eu-central-1/news",
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
            }
        finally:
            server.terminate()


@pytest.mark.parametrize("workers", [1, 2, 16])
def test_no_message_is_redelivered_while_its_task_may_run(workers: int) -> None:
    for cluster in clusters(cluster_settings("", workers, "queue")).values():
        assert cluster["retry"] > longest_hold(cluster)


def test_prefetched_tasks_count_for_the_longest_hold() -> None:
    """Two tasks come first, one prefetched and one held by the pusher; each has 3 s of grace."""
    cluster: dict[str, Any] = {"timeout": 97, "queue_limit": 1, "workers": 1}
    assert longest_hold(cluster) == 300
    assert longest_hold(cluster | {"workers": 2}) == 200


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"retry": 600}, "it would run twice"),
        ({"retry": 1500}, "may wait and run for 1809 s"),
        ({"workers": 0}, "WORKERS must be at least 1"),
        ({"sqs": {}, "retry": 50_000}, "12 hours at most"),
        ({"ALT_CLUSTERS": {"slow": {"timeout": 3000}}}, "The queue slow redelivers a message"),
    ],
)
def test_settings_that_would_run_a_task_twice_are_refused(
    settings: Any, change: dict[str, Any], says: str
) -> None:
    assert check_queue() == []
    settings.Q_CLUSTER = cluster_settings("", 1, "queue") | change
    assert any(says in str(message.msg) for message in check_queue())


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://host", "must be sqs://region/name or amqp://user:password@host/vhost"),
        ("sqs:///name", "must be sqs://region/name or amqp://user:password@host/vhost"),
        ("amqp:///vhost", "must be sqs://region/name or amqp://user:password@host/vhost"),
        ("amqp://host:0", "needs a port between 1 and 65535"),
        ("amqp://host:port", "needs a port between 1 and 65535"),
        ("amqp://user:a#b@host/news", "needs a port between 1 and 65535, or must be like amqp://"),
        ("amqp://user:ab@host/news#c", "must be like amqp://user:password@host/vhost; in a name"),
        ("amqp://ho st/news", "must be like amqp://user:password@host/vhost; in a name"),
        ("amqp://host/a/b", "has more than a vhost after the host; write / in its name as %2F"),
        ("amqp://host/a?cacertfile=/x", "has the unknown parameter cacertfile; known are queue"),
        ("amqps://host/a?cacertfile=/x", "names a file that does not exist in cacertfile"),
    ],
)
def test_the_problem_of_a_queue_url_is_one_sentence(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(problem)):
        cluster_settings(url, 1, "queue")


def test_an_invalid_queue_url_ends_the_start(tmp_path: Path) -> None:
    env = os.environ | {"DATA": str(tmp_path), "QUEUE_URL": "amqp://reader:secret@/news"}
    command = [sys.executable, "manage.py", "check"]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.stderr.strip() == (
        "QUEUE_URL must be sqs://region/name or amqp://user:password@host/vhost; see .env.example."
    )


def test_the_address_of_rabbitmq_has_the_usual_defaults_and_hides_its_password() -> None:
    address = rabbit_address("amqp://host", "ainews")
    assert (address.place, address.vhost, address.user) == ("host:5672", "/", "guest")
    address = rabbit_address("amqps://a%40b:p%2Fw@host/my%2Fnews?queue=mine", "ainews")
    assert (address.place, address.vhost, address.queue) == ("host:5671", "my/news", "mine")
    assert (address.user, address.password) == ("a@b", "p/w")
    assert "p/w" not in repr(address)


def test_sqs_takes_a_message_from_one_process_to_another(
    sqs: dict[str, str], tmp_path: Path
) -> None:
    env = environment(tmp_path / "data", "", **sqs)
    migrate(env)
    with Helper(env) as helper:
        helper.call("send", "tests.jobs.mark", "slow", str(tmp_path / "slow"))
        helper.call("send", "tests.jobs.mark", "ainews", str(tmp_path / "fast"))
        assert helper.call("waiting") == [1, 1]
        worker = Worker(env)
        try:
            for name in ("slow", "fast"):
                assert helper.call("wait_for", str(tmp_path / f"{name}.ended")), worker.log()
            worker.process.send_signal(signal.SIGTERM)
            assert worker.process.wait(100) == 0
        finally:
            worker.kill_all()
        assert helper.call("waiting") == [0, 0], "acknowledged"
    assert "Traceback" not in worker.log()


def test_one_cluster_takes_both_queues_of_sqs(sqs: dict[str, str], tmp_path: Path) -> None:
    env = environment(tmp_path / "data", "", **sqs)
    migrate(env)
    with Helper(env) as helper:
        helper.call("send", "tests.jobs.mark", "slow", str(tmp_path / "slow"))
        helper.call("send", "tests.jobs.mark", "ainews", str(tmp_path / "fast"))
        process = subprocess.Popen([sys.executable, "manage.py", "qcluster"], env=env)
        try:
            for name in ("slow", "fast"):
                assert helper.call("wait_for", str(tmp_path / f"{name}.ended"))
            process.terminate()
            assert process.wait(100) == 0
        finally:
            process.kill()
        assert helper.call("waiting") == [0, 0], "acknowledged in the queue it came from"
