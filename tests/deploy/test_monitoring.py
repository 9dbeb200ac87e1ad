"""Prometheus and Alertmanager beside the running product: dashboards have data, alerts arrive."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from ainews_site.metrics.exposition import all_metrics
from tests.deploy.test_rules import ALERTS, MONITORING, tool
from tests.digests.receivers import Webhook, webhook
from tests.model_server import MODEL, ModelServer, model_server, says
from tests.services import Postgres, Redis, Server, free_port, missing
from tests.workers import ROOT, Outlets, environment, publishing

DASHBOARDS = sorted((MONITORING / "grafana" / "dashboards").glob("*.json"))
RECORDING = yaml.safe_load((MONITORING / "rules" / "recording.yml").read_text())["groups"][0]
PATIENCE = 240.0
PASSWORD = "long-enough-for-me"
PREPARE = f"""
import sys
from datetime import UTC, datetime
from accounts.models import User
from digests.models import Channel
from feeds.models import Source
from feeds.sources.subscriptions import subscribe
user = User.objects.create_user("reader", password={PASSWORD!r}, is_staff=True, is_superuser=True)
User.objects.filter(pk=user.pk).update(date_joined=datetime(2020, 1, 1, tzinfo=UTC), digest_hour=0)
for url in {{urls!r}}:
    source, _ = Source.objects.get_or_create(url=url)
    subscribe(user, source)
Channel.objects.create(user=user, kind="webhook", target={{hook!r}}, key="c2VjcmV0")
"""
ACT = """
from django.utils import timezone
from django_q.tasks import async_task
from digests.editions.writing import request_writing
from accounts.models import User
from feeds.models import Source
Source.objects.all().change(next_poll_at=timezone.now())
async_task("feeds.tasks.poll_due")
request_writing(User.objects.get(), timezone.now().date(), is_due=True)
async_task("digests.tasks.write_waiting", q_options={"cluster": "slow"})
"""


def queries() -> dict[str, str]:
    """The queries of all panels, by dashboard and panel."""
    return {
        f"{path.stem}: {panel['title']} {target['refId']}": target["expr"]
        for path in DASHBOARDS
        for panel in json.loads(path.read_text())["panels"]
        for target in panel["targets"]
    }


def test_each_metric_is_shown_or_alerted_on() -> None:
    used = [*queries().values(), *(rule["expr"] for rule in ALERTS)]
    used += [rule["expr"] for rule in RECORDING["rules"]]
    words = set(re.findall(r"[a-z_:0-9]+", " ".join(used)))
    kinds = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",), "gauge": ("",)}
    unused = [
        metric.name
        for metric in all_metrics()
        if not any(metric.name + suffix in words for suffix in kinds[metric.kind])
    ]

    assert unused == []


def test_each_recorded_value_is_used() -> None:
    used = " ".join([*queries().values(), *(rule["expr"] for rule in ALERTS)])

    assert [rule["record"] for rule in RECORDING["rules"] if rule["record"] not in used] == []


def test_dashboards_are_of_a_form_that_grafana_reads() -> None:
    uids = set()
    for path in DASHBOARDS:
        board = json.loads(path.read_text())
        uids.add(board["uid"])
        assert board["uid"] == path.stem
        assert board["schemaVersion"] >= 36
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids))
        for panel in board["panels"]:
            assert panel["datasource"] == {"type": "prometheus", "uid": "ainews"}
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
    assert len(uids) == len(DASHBOARDS) == 3


class Alertmanager(Server):
    name = "alertmanager"
    is_humble = False

    def __init__(self, receiver: Webhook) -> None:
        super().__init__()
        text = (MONITORING / "alertmanager.yml").read_text()
        text = text.replace("http://127.0.0.1:9099", f"http://127.0.0.1:{receiver.server_port}")
        text = re.sub(r"group_wait: \w+", "group_wait: 0s", text)
        text = re.sub(r"group_interval: \w+", "group_interval: 1s", text)
        (self.folder / "alertmanager.yml").write_text(text)

    def command(self) -> list[str]:
        return [
            tool("prometheus-alertmanager"),
            f"--config.file={self.folder / 'alertmanager.yml'}",
            f"--storage.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
        ]


class Prometheus(Server):
    """Ours, at another pace: it scrapes each second, and alerts wait for a second."""

    name = "prometheus"
    is_humble = False

    def __init__(self, alertmanager: Alertmanager, targets: dict[int, str]) -> None:
        super().__init__()
        shutil.copytree(MONITORING, self.folder, dirs_exist_ok=True)
        file = self.folder / "prometheus.yml"
        text = file.read_text().replace("15s", "1s").replace("9093", str(alertmanager.port))
        file.write_text(text.replace("9090", str(self.port)))
        (self.folder / "ainews-token").write_text(TOKEN)
        rules = self.folder / "rules" / "alerts.yml"
        rules.write_text(re.sub(r"for: \w+", "for: 1s", rules.read_text()))
        groups = [
            {"targets": [f"127.0.0.1:{port}"], "labels": {"role": role}}
            for port, role in targets.items()
        ]
        (self.folder / "targets" / "ainews.yml").write_text(yaml.safe_dump(groups))

    def command(self) -> list[str]:
        return [
            tool("prometheus"),
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]

    def query(self, expression: str) -> list[dict[str, Any]]:
        url = f"http://127.0.0.1:{self.port}/api/v1/query"
        answer = httpx.get(url, params={"query": expression}, timeout=10).json()
        assert answer["status"] == "success", answer
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result


TOKEN = "a token that Prometheus sends"


@dataclass
class Monitored:
    prometheus: Prometheus
    receiver: Webhook
    product: "subprocess.Popen[bytes]"
    worker: "subprocess.Popen[bytes]"
    port: int
    env: dict[str, str]
    outlets: Outlets

    def manage(self, script: str) -> None:
        command = [sys.executable, "manage.py", "shell", "-v", "0", "-c", script]
        done = subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def wait_until(is_so: Callable[[], object], seconds: float = PATIENCE) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.5)


def make_certificate(folder: Path) -> Path:
    path = folder / "site.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "90",
        "-subj",
        "/CN=news.example",
    ]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(path)]
    subprocess.run([*command, *files], check=True, capture_output=True)
    return path


def start(env: dict[str, str], *command: str) -> "subprocess.Popen[bytes]":
    log = Path(env["DATA"]) / f"{command[0]}.log"
    with log.open("ab") as opened:
        return subprocess.Popen(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=env,
            stdout=opened,
            stderr=opened,
            start_new_session=True,
        )


def end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def product_env(stack: ExitStack, data: Path, model: ModelServer, port: int) -> dict[str, str]:
    """PostgreSQL with a standby, Redis, a language model and a certificate."""
    primary = stack.enter_context(Postgres(wal_level="replica", max_wal_senders="5"))
    primary.migrated()
    standby = stack.enter_context(Postgres(standby_of=primary))
    redis = stack.enter_context(Redis())
    data.mkdir()
    return environment(
        data,
        primary.url(),
        DATABASE_REPLICA_URLS=standby.url(),
        REDIS_URL=redis.url,
        PORT=str(port),
        POLL_BATCH="10",
        LEASE_SECONDS="900",
        METRICS_TOKEN=TOKEN,
        TLS_CERTIFICATE=str(make_certificate(data)),
        LLM_MODEL=MODEL,
        OPENAI_BASE_URL=model.url,
        OPENAI_API_KEY="sk-secret",
        LLM_PRICES=f"{MODEL}=1/2",
        LLM_MONTHLY_BUDGET="10",
    )


@pytest.fixture(scope="module")
def monitored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored]:
    if gone := missing():
        pytest.skip(f"not installed: {', '.join(gone)}")
    for name in ("prometheus", "prometheus-alertmanager", "openssl"):
        tool(name)
    with ExitStack() as stack:
        model = stack.enter_context(model_server())
        model.will(says({"nothing": "of use"}))
        receiver = stack.enter_context(webhook())
        outlets = stack.enter_context(publishing(servers=2, feeds=2, entries=6))
        port, worker_port = free_port(), free_port()
        env = product_env(stack, tmp_path_factory.mktemp("site") / "data", model, port)
        product = start(env, "serve")
        stack.callback(end, product)
        other = env | {
            "DATA": str(tmp_path_factory.mktemp("worker")),
            "METRICS_LISTEN": f"127.0.0.1:{worker_port}",
        }
        worker = start(other, "worker", "--processes", "1")
        stack.callback(end, worker)
        alertmanager = stack.enter_context(Alertmanager(receiver))
        targets = {port: "web", worker_port: "worker"}
        prometheus = stack.enter_context(Prometheus(alertmanager, targets))
        site = Monitored(prometheus, receiver, product, worker, port, env, outlets)
        broken = f"http://127.0.0.1:{free_port()}/gone"
        site.manage(PREPARE.format(urls=[*outlets.urls, broken], hook=receiver.url))
        yield site


def signed_in(port: int) -> httpx.Client:
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
    client.get("/signin/")
    form = {"username": "reader", "password": PASSWORD}
    form["csrfmiddlewaretoken"] = client.cookies["csrftoken"]
    assert client.post("/signin/", data=form).status_code == 302
    return client


def open_socket(port: int, client: httpx.Client) -> socket.socket:
    wire = socket.create_connection(("127.0.0.1", port))
    wire.settimeout(60)
    address = f"127.0.0.1:{port}"
    wire.sendall(
        f"GET /ws/ HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\n"
        f"Cookie: sessionid={client.cookies['sessionid']}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    assert b" 101 " in wire.recv(4096)
    return wire


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_query_of_the_dashboards_has_data(monitored: Monitored) -> None:
    wait_until(lambda: len(monitored.prometheus.query('up{job="ainews"} == 1')) == 2)
    client = signed_in(monitored.port)
    empty = queries()
    with open_socket(monitored.port, client):
        until = time.monotonic() + PATIENCE
        while empty and time.monotonic() < until:
            for path in list(monitored.outlets.entries):
                monitored.outlets.publish(path)
                monitored.outlets.correct(path)
            monitored.manage(ACT)
            for page in ("/", "/river/", "/digest/", "/trends/", "/sources/", "/nothing/"):
                client.get(page)
            time.sleep(3)
            empty = {
                name: query
                for name, query in empty.items()
                if not [
                    row
                    for row in monitored.prometheus.query(query)
                    if row["value"][1] not in ("NaN", "+Inf")
                ]
            }

    assert empty == {}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_alert_reaches_the_pager_when_the_site_is_down(monitored: Monitored) -> None:
    def arrived() -> set[tuple[str, str]]:
        """Receivers and names of the alerts that fire."""
        posts = [(taken.path, taken.body) for taken in list(monitored.receiver.taken)]
        return {
            (path, alert["labels"]["alertname"])
            for path, body in posts
            if path in ("/mail", "/pager", "/watchdog")
            for alert in json.loads(body)["alerts"]
            if alert["status"] == "firing"
        }

    wait_until(lambda: ("/watchdog", "Watchdog") in arrived())
    # It was down until it had started.
    wait_until(lambda: len(monitored.prometheus.query('up{job="ainews"} == 1')) == 2)
    wait_until(lambda: not monitored.prometheus.query('ALERTS{alertname="Down"}'))
    time.sleep(5)
    monitored.receiver.taken.clear()

    end(monitored.product)

    wait_until(lambda: ("/pager", "Down") in arrived())
