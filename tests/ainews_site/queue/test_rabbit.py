"""The broker that stores messages in RabbitMQ, against a real server."""

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from django.conf import LazySettings
from django_q.conf import Conf

from ainews_site.doctor import run_check
from ainews_site.queue.config import FAST, SLOW, cluster_settings
from ainews_site.queue.rabbit_broker import Rabbit, address, connection_problem
from ainews_site.queue.rabbit_connection import ERRORS, Link, forget, with_channel
from tests.certificates import certificates
from tests.services import RABBITMQ, RabbitMQ, free_port
from tests.workers import Helper, Worker, environment, migrate

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not RABBITMQ.exists(), reason="rabbitmq-server is not installed"),
]


@pytest.fixture(scope="module")
def rabbit() -> Iterator[RabbitMQ]:
    with RabbitMQ() as server:
        yield server


@pytest.fixture
def broker(
    rabbit: RabbitMQ, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Rabbit]:
    """Return the broker of the fast queue. Its queues have a name of their own for each test."""
    url = f"{rabbit.url}?queue=news{random.randrange(10**9)}"
    settings.Q_CLUSTER = cluster_settings(url, 1, "queue")
    monkeypatch.setattr(Conf, "POLL", 0.01)
    monkeypatch.delenv("Q_CLUSTER_NAME", raising=False)
    forget()
    yield Rabbit(FAST)
    forget()


def take(broker: Rabbit) -> str:
    messages = broker.dequeue()
    return messages[0][1] if messages else ""


def wait_for_size(broker: Rabbit, size: int, seconds: float = 30) -> int:
    until = time.monotonic() + seconds
    while broker.queue_size() != size and time.monotonic() < until:
        time.sleep(0.05)
    return broker.queue_size()


def test_the_oldest_message_comes_first_and_the_fast_queue_before_the_slow(
    broker: Rabbit, monkeypatch: pytest.MonkeyPatch
) -> None:
    Rabbit(SLOW).enqueue("digest")
    broker.enqueue("one")
    broker.enqueue("two ☃")

    assert (broker.queue_size(), Rabbit(SLOW).queue_size()) == (2, 1)
    assert [take(broker) for _ in range(4)] == ["one", "two ☃", "digest", ""]

    Rabbit(SLOW).enqueue("digest")
    monkeypatch.setenv("Q_CLUSTER_NAME", FAST)
    assert take(broker) == ""
    assert take(Rabbit(SLOW)) == "digest"


def test_a_taken_message_is_hidden_until_its_lease_ends(
    broker: Rabbit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Conf, "RETRY", 1)
    broker.enqueue("poll")

    assert take(broker) == "poll"
    forget()  # a message that is merely unacknowledged would be back now
    assert (broker.queue_size(), take(broker)) == (0, "")

    assert wait_for_size(broker, 1) == 1
    assert take(broker) == "poll"


def test_any_process_acknowledges_a_message(
    broker: Rabbit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Conf, "RETRY", 1)
    broker.enqueue("poll")
    messages = broker.dequeue()
    assert messages

    forget()
    Rabbit(FAST).acknowledge(messages[0][0])
    Rabbit(FAST).acknowledge(messages[0][0])  # the second time changes nothing

    time.sleep(1.5)
    assert broker.queue_size() == 0


def test_a_process_that_dies_while_taking_a_message_has_taken_nothing(broker: Rabbit) -> None:
    name = broker.enqueue("poll")

    elsewhere("channel.basic_get(name); channel.queue_declare(name + '.x', exclusive=True)", name)

    assert wait_for_size(broker, 1) == 1
    assert take(broker) == "poll"


def test_a_message_is_not_lost_if_its_queue_was_deleted(broker: Rabbit) -> None:
    name = broker.enqueue("one")

    elsewhere("channel.queue_delete(name)", name)
    broker.enqueue("two")

    assert take(broker) == "two"


def elsewhere(statement: str, name: str) -> None:
    """Run a statement with a channel of another process, which ends without a farewell."""
    script = f"""
import os, sys
from ainews_site.config.queue_url import rabbit_address
from ainews_site.queue.rabbit_connection import Link
name = sys.argv[1]
link = Link(rabbit_address(os.environ["QUEUE_URL"], ""))
channel = link.channel
{statement}
os._exit(0)
"""
    place = address()
    secret = quote(place.password, safe="")
    url = f"amqp://{place.user}:{secret}@{place.place}/{place.vhost}"
    env = os.environ | {"QUEUE_URL": url}
    subprocess.run([sys.executable, "-c", script, name], env=env, check=True)


def cut(link: Link) -> None:
    link.connection._impl._transport._sock.shutdown(socket.SHUT_RDWR)


def test_a_broken_connection_is_replaced(broker: Rabbit) -> None:
    broker.enqueue("one")
    with_channel(address(), lambda link: cut(link))

    broker.enqueue("two")

    assert [take(broker), take(broker)] == ["one", "two"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("se%20cret", "wrong"), "Login was refused using authentication mechanism PLAIN"),
        (("/news", "/other"), "vhost other not found"),
        (("127.0.0.1:{port}", f"127.0.0.1:{free_port()}"), "Connection refused"),
    ],
)
def test_the_doctor_says_in_a_sentence_why_rabbitmq_cannot_be_used(
    rabbit: RabbitMQ, settings: LazySettings, change: tuple[str, str], reason: str
) -> None:
    url = rabbit.url.replace(change[0].format(port=rabbit.port), change[1])
    settings.Q_CLUSTER = cluster_settings(url, 1, "queue")
    forget()

    problem = run_check("queue")

    assert problem == connection_problem()
    assert problem.startswith("RabbitMQ at 127.0.0.1:")
    assert f"({reason}" in problem
    assert problem.endswith("; check QUEUE_URL.")
    assert "cret" not in problem
    assert Rabbit(FAST).dequeue() is None
    with pytest.raises(ERRORS):
        Rabbit(FAST).enqueue("lost")


def test_messages_and_leases_outlive_the_broker(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Conf, "POLL", 0.01)
    monkeypatch.setattr(Conf, "RETRY", 3)
    with RabbitMQ() as server:
        settings.Q_CLUSTER = cluster_settings(server.url, 1, "queue")
        broker = Rabbit(FAST)
        for name in ("one", "two", "three"):
            broker.enqueue(name)
        assert take(broker) == "one"
        done = broker.dequeue()
        assert done
        broker.acknowledge(done[0][0])
        server.stop()
        assert broker.dequeue() is None
        server.start()

        assert wait_for_size(broker, 2) == 2
        assert sorted([take(broker), take(broker)]) == ["one", "three"]
        forget()


def test_amqps_verifies_the_certificate(settings: LazySettings) -> None:
    files = certificates()
    with RabbitMQ(tls=files) as server:
        settings.Q_CLUSTER = cluster_settings(server.url, 1, "queue")
        forget()
        assert "certificate verify failed" in connection_problem()

        url = f"{server.url}?cacertfile={files.authority}"
        settings.Q_CLUSTER = cluster_settings(url, 1, "queue")
        Rabbit(FAST).enqueue("poll")
        assert take(Rabbit(FAST)) == "poll"
        forget()


def test_workers_run_the_tasks_of_both_queues(rabbit: RabbitMQ, tmp_path: Path) -> None:
    url = f"{rabbit.url}?queue=both"
    env = environment(tmp_path / "data", "", QUEUE_URL=url)
    migrate(env)
    with Helper(env) as helper:
        for queue in ("slow", "ainews"):
            helper.call("send", "tests.jobs.mark", queue, str(tmp_path / queue))
        assert helper.call("waiting") == [1, 1]
        worker = Worker(env)
        try:
            for queue in ("slow", "ainews"):
                assert helper.call("wait_for", str(tmp_path / f"{queue}.ended")), worker.log()
            worker.process.terminate()
            assert worker.process.wait(100) == 0
        finally:
            worker.kill_all()
        assert helper.call("waiting") == [0, 0]
    assert "Traceback" not in worker.log()


def test_the_task_of_a_killed_worker_is_run_by_another(rabbit: RabbitMQ, tmp_path: Path) -> None:
    more = {
        "QUEUE_URL": f"{rabbit.url}?queue=killed",
        "DJANGO_SETTINGS_MODULE": "tests.short_leases",
    }
    env = environment(tmp_path / "data", "", **more)
    migrate(env)
    arguments = ("--queue", "fast", "--processes", "2")
    with Helper(env) as helper:
        helper.call(
            "send", "tests.jobs.hold", "ainews", str(tmp_path / "job"), str(tmp_path / "never")
        )
        worker = Worker(env, *arguments)
        try:
            assert helper.call("wait_for", str(tmp_path / "job.began")), worker.log()
            worker.kill_all()
            (tmp_path / "job.began").unlink()
            (tmp_path / "never").touch()
            worker.start()
            assert helper.call("wait_for", str(tmp_path / "job.ended")), worker.log()
        finally:
            worker.kill_all()


def test_a_restarted_broker_ends_no_process_of_a_worker(tmp_path: Path) -> None:
    with RabbitMQ() as server:
        env = environment(tmp_path / "data", "", QUEUE_URL=server.url)
        migrate(env)
        worker = Worker(env, "--queue", "fast", "--processes", "1")
        try:
            with Helper(env) as helper:
                helper.call("send", "tests.jobs.mark", "ainews", str(tmp_path / "before"))
                assert helper.call("wait_for", str(tmp_path / "before.ended")), worker.log()
                tree = {process.pid for process in worker.processes()}
                server.stop()
                time.sleep(
                    14
                )  # django-q2 ends the process that asks for messages after ten seconds
                server.start()
                helper.call("send", "tests.jobs.mark", "ainews", str(tmp_path / "after"))
                assert helper.call("wait_for", str(tmp_path / "after.ended")), worker.log()
            assert {process.pid for process in worker.processes()} == tree, worker.log()
            assert worker.log().count("RabbitMQ does not answer") == 1
            assert "RabbitMQ answers again." in worker.log()
        finally:
            worker.kill_all()
