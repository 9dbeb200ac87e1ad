"""The real thing: a bare Debian 12, booted by systemd, that becomes a server by one command.

Then the server is upgraded, also to releases that do not work, while readers use it.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.ainews_site.infra.test_migrate_ahead import ADDITIVE, CONTRACTING
from tests.deploy.machine import ROOT, Machine, missing_programs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3_000),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can boot a machine"),
    pytest.mark.skipif(bool(missing_programs()), reason=f"needs {missing_programs()}"),
]
HOST = "news.lan"
INSTALL = f"ainews/deploy/install.sh --host {HOST} --no-sources"
MOST_SECONDS = 300
"""From a bare system to the first page over TLS, on a quiet machine with two cores."""
MONITOR = (
    "ainews/deploy/install.sh --monitoring --alert-webhook http://127.0.0.1:9099/alerts"
    " --watchdog http://127.0.0.1:9099/watchdog"
)
RECEIVER = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with open("/run/received", "a") as file:
            file.write(f"{self.path} {text}\\n")
        self.send_response(200)
        self.end_headers()
HTTPServer(("127.0.0.1", 9099), Receiver).serve_forever()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Machine]:
    """An installed server. The tests below use it one after another."""
    with Machine() as machine:
        machine.copy_checkout("ainews")
        busy = os.getloadavg()[0]
        began = time.monotonic()
        done = machine.run(f"time {INSTALL}")
        machine.installed = done.stdout
        assert first_page(machine) == 200
        seconds = time.monotonic() - began
        print(f"\nBare Debian 12 to the first page over TLS: {seconds:.0f} s, load {busy:.1f}")
        print(done.stdout, done.stderr)
        if busy < 1:
            assert seconds < MOST_SECONDS
        yield machine


def first_page(machine: Machine) -> int:
    """Return the status of a page that a reader loads who trusts the authority of the server."""
    code = "import sys; from tests.deploy.load import Site; site = Site(*sys.argv[1:])"
    command = [sys.executable, "-c", f"{code}; print(site.request('/signin/')[0])"]
    done = subprocess.run(
        machine.inside(*command, HOST, ca(machine)), cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def ca(machine: Machine) -> str:
    return str(machine.tree / "etc/ainews/tls/ca.crt")


@contextmanager
def load(machine: Machine) -> Iterator[dict[str, Any]]:
    """Let readers use the site. What they saw is in the dict afterwards."""
    link = machine.run("ainews-manage signin_link reader").stdout.strip()
    process = subprocess.Popen(
        machine.inside(sys.executable, "-m", "tests.deploy.load", HOST, ca(machine), link),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    seen: dict[str, Any] = {}
    assert process.stdin and process.stdout
    try:
        assert process.stdout.readline() == "ready\n"
        yield seen
        process.stdin.close()
        seen.update(json.loads(process.stdout.read()))
        print(f"\n{seen['answers']} answers, the longest after {seen['longest']} s")
    finally:
        process.kill()
        process.wait()


def release(machine: Machine) -> str:
    return machine.run("basename $(readlink /opt/ainews/app)").stdout.strip()


def newer(machine: Machine, name: str, version: str) -> Path:
    """Copy the checkout and make it a later version with two more migrations. Returns its folder.

    All have the same, as no release uses a database that a newer one has contracted.
    """
    folder = machine.copy_checkout(name)
    project = folder / "pyproject.toml"
    text = re.sub(r'^version = ".*"$', f'version = "{version}"', project.read_text(), flags=re.M)
    project.write_text(text)
    migrations = folder / "accounts/migrations"
    last = sorted(file.stem for file in migrations.glob("0*.py"))[-1]
    (migrations / "9000_add_extra.py").write_text(ADDITIVE.replace("{last}", last))
    removal = CONTRACTING.replace("{last}", "9000_add_extra").replace("{model}", "Extra")
    (migrations / "9001_contract_drop_extra.py").write_text(removal)
    return folder


def test_the_output_says_what_was_done_and_what_to_do(server: Machine) -> None:
    output = server.installed

    assert f"AI News runs at https://{HOST}" in output
    assert re.search(rf"  https://{HOST}/signin/\S+", output)
    assert "sudo ainews-manage doctor" in output
    assert "error" not in output
    assert "unchanged  Start Redis" in output or "now        Start Redis" in output


def test_a_second_run_changes_nothing(server: Machine) -> None:
    before = server.run("find /etc /opt/ainews -newer /etc/ainews/install.conf | sort").stdout

    output = server.run("ainews/deploy/install.sh").stdout

    assert "Nothing had to be changed." in output
    assert "  now " not in output
    after = server.run("find /etc /opt/ainews -newer /etc/ainews/install.conf | sort").stdout
    assert after == before
    assert "nothing: all is as it should be" in server.run(f"{INSTALL} --dry-run").stdout


def test_the_services_run_in_their_sandbox_and_without_secrets_in_their_environment(
    server: Machine,
) -> None:
    states = server.run("systemctl is-active 'ainews-*.service' 'ainews-*.socket'").stdout.split()
    assert set(states) == {"active"}
    for service in ("pages", "live", "worker@all"):
        main = server.run(f"systemctl show -p MainPID --value ainews-{service}").stdout.strip()
        assert server.run(f"stat -c %U /proc/{main}").stdout == "ainews\n"
    key = server.run("cat /etc/ainews/credentials/secret_key").stdout.strip()
    main = server.run("systemctl show -p MainPID --value ainews-pages").stdout.strip()
    assert key not in server.run(f"tr '\\0' '\\n' </proc/{main}/environ").stdout
    done = server.run("runuser -u ainews -- cat /etc/ainews/credentials/secret_key", check=False)
    assert done.returncode != 0
    journal = server.run("journalctl --no-pager -o cat -u 'ainews-*'").stdout
    assert "Traceback" not in journal and key not in journal


def test_the_production_checklist_finds_no_fault_of_the_installation(server: Machine) -> None:
    output = server.run("ainews-manage doctor --production", check=False).stdout

    print(output)
    rows = re.findall(r"^(ok|warning|not done) +(\d+) ", output, re.MULTILINE)
    assert {str(row) for row in range(1, 12)} <= {number for state, number in rows if state == "ok"}
    assert "manage.py" not in output
    assert "sudo ainews-manage" in output


def test_nginx_itself_sends_static_files(server: Machine) -> None:
    """AI News writes a file at its first request; from then on it is not asked for it."""
    page = server.run(f"curl -s --fail https://{HOST}/signin/").stdout
    path = re.findall(r"/static/[^\"]+\.[0-9a-f]{12}\.css", page)[0]
    get = f"curl -s --fail --compressed -D /dev/stderr https://{HOST}{path}"
    first = server.run(get).stdout
    assert server.run(f"runuser -u www-data -- cat /var/cache/ainews{path}").stdout == first

    server.run("systemctl stop ainews-pages ainews-pages.socket")
    try:
        done = server.run(get)
    finally:
        server.run("systemctl start ainews-pages.socket ainews-pages")

    assert done.stdout == first
    assert "cache-control: max-age=31536000, public, immutable" in done.stderr.lower()


def test_prometheus_reads_the_metrics_with_the_token(server: Machine) -> None:
    token = "sed -n s/^METRICS_TOKEN=//p /etc/ainews/ainews.env"
    get = f"curl -s -o /dev/null -w '%{{http_code}}' https://{HOST}/metrics"

    assert server.run(f'{get} -H "Authorization: Bearer $({token})"').stdout == "200"
    assert server.run(get).stdout == "404"


def test_one_command_adds_prometheus_and_alerts(server: Machine) -> None:
    (server.tree / "root/receiver.py").write_text(RECEIVER)
    server.run("systemd-run --unit=receiver python3 /root/receiver.py")

    print(server.run(f"time {MONITOR}").stderr)

    for service in ("prometheus", "prometheus-alertmanager"):
        pid = server.run(f"systemctl show -p MainPID --value {service}").stdout.strip()
        print(service, server.run(f"grep VmRSS /proc/{pid}/status").stdout)
    listens = server.run("ss -H -l -t -n -p | grep prometheus").stdout.splitlines()
    assert {line.split()[3] for line in listens} == {"127.0.0.1:9090", "127.0.0.1:9093"}
    read = "runuser -u {} -- cat /etc/prometheus/ainews/ainews-token"
    assert server.run(read.format("prometheus")).stdout
    assert server.run(read.format("ainews"), check=False).returncode != 0
    until = time.monotonic() + 120
    while "Watchdog" not in server.run("cat /run/received", check=False).stdout:
        assert time.monotonic() < until
        time.sleep(1)
    assert server.run("cat /run/received").stdout.startswith("/watchdog ")
    output = server.run("ainews/deploy/install.sh").stdout
    assert "Nothing had to be changed." in output
    assert "unchanged  Wait until Prometheus has read the metrics" in output


def test_the_backup_of_the_night_works(server: Machine) -> None:
    server.run("systemctl start ainews-backup")

    assert ".dump" in server.run("ls /var/lib/ainews/backups").stdout
    assert "ainews-backup.timer" in server.run("systemctl list-timers --no-pager").stdout


def test_a_restart_refuses_no_request(server: Machine) -> None:
    with load(server) as seen:
        server.run("systemctl restart ainews-pages ainews-live")
        time.sleep(2)

    assert seen["failures"] == []


def test_a_hanging_server_is_restarted_by_the_watchdog(server: Machine) -> None:
    drop_in = "/run/systemd/system/ainews-pages.service.d"
    server.run(
        f"mkdir -p {drop_in} && printf '[Service]\\nWatchdogSec=4\\n' >{drop_in}/test.conf"
        " && systemctl daemon-reload && systemctl restart ainews-pages"
    )
    pid = server.run("systemctl show -p MainPID --value ainews-pages").stdout.strip()
    server.run(f"kill -STOP {pid}")

    until = time.monotonic() + 90
    while server.run("systemctl show -p NRestarts --value ainews-pages").stdout.strip() == "0":
        assert time.monotonic() < until
        time.sleep(1)

    assert "Watchdog timeout" in server.run("journalctl --no-pager -u ainews-pages").stdout
    server.run(f"rm -r {drop_in} && systemctl daemon-reload")
    server.run("systemctl restart ainews-pages")


def test_an_upgrade_fails_no_request_and_can_be_undone_and_finished(server: Machine) -> None:
    old = release(server)
    newer(server, "newer", "97.0.0")

    with load(server) as seen:
        output = server.run("newer/deploy/upgrade.sh").stdout
        time.sleep(2)
    print(output)
    assert seen["failures"] == []
    new = release(server)
    assert new != old
    assert f"AI News {new} serves https://{HOST}." in output
    assert "--finish" in output
    assert "accounts_extra" in tables(server)
    assert server.run("curl -sk https://127.0.0.1/health/ready -H 'Host: news.lan'").stdout.count(
        '"ok"'
    )
    assert "Nothing was changed" in server.run("newer/deploy/upgrade.sh").stdout

    with load(server) as seen:
        output = server.run("/opt/ainews/app/deploy/upgrade.sh --rollback").stdout
        time.sleep(2)
    print(output)
    assert seen["failures"] == []
    assert release(server) == old

    output = server.run("newer/deploy/upgrade.sh").stdout
    assert release(server) == new
    output = server.run("/opt/ainews/app/deploy/upgrade.sh --finish").stdout
    print(output)
    assert "accounts_extra" not in tables(server)
    done = server.run("/opt/ainews/app/deploy/upgrade.sh --rollback", check=False)
    assert "There is no previous release to go back to" in done.stderr


def tables(server: Machine) -> str:
    return server.run("cd /; runuser -u ainews -- psql -Atc '\\dt' ainews").stdout


def test_a_release_that_does_not_start_is_never_switched_to(server: Machine) -> None:
    old = release(server)
    broken = newer(server, "broken", "98.0.0")
    (broken / "ainews_site/wsgi.py").write_text("raise RuntimeError('planted')\n")

    with load(server) as seen:
        done = server.run("broken/deploy/upgrade.sh", check=False)
        time.sleep(2)

    print(done.stdout, done.stderr)
    assert seen["failures"] == []
    assert done.returncode == 1
    assert "goes on serving, and nothing was switched" in done.stderr
    assert "planted" in done.stderr
    assert release(server) == old


def test_a_release_that_fails_after_the_switch_goes_back_by_itself(server: Machine) -> None:
    old = release(server)
    broken = newer(server, "broken-later", "99.0.0")
    worker = broken / "ainews_site/management/commands/worker.py"
    worker.write_text("raise SystemExit('planted')\n")

    with load(server) as seen:
        done = server.run("broken-later/deploy/upgrade.sh", check=False)
        time.sleep(2)

    print(done.stdout, done.stderr)
    assert seen["failures"] == []
    assert done.returncode == 1
    assert f"so {old} serves again" in done.stderr
    assert release(server) == old
    states = server.run("systemctl is-active ainews-pages ainews-live ainews-worker@all").stdout
    assert set(states.split()) == {"active"}


def test_the_machine_starts_again_with_all_services(server: Machine) -> None:
    """As after a power failure: systemd starts them in order, from their sockets."""
    server.run("systemctl stop ainews-pages ainews-live ainews-worker@all ainews-pages.socket")
    server.run("systemctl start multi-user.target ainews-pages.socket")
    assert first_page(server) == 200


def test_debian_13_becomes_a_server_too() -> None:
    with Machine("trixie") as machine:
        machine.copy_checkout("ainews")

        machine.run(INSTALL)

        assert first_page(machine) == 200
        assert "Nothing had to be changed." in machine.run("ainews/deploy/install.sh").stdout


def test_a_small_server_has_neither_postgresql_nor_redis() -> None:
    with Machine() as machine:
        machine.copy_checkout("ainews")

        machine.run(f"{INSTALL} --sqlite")

        assert first_page(machine) == 200
        assert machine.run("ls /var/lib/ainews").stdout.count("ainews.sqlite3")
        for name in ("postgresql", "redis-server"):
            assert machine.run(f"systemctl is-active {name}", check=False).stdout == "inactive\n"
        assert "Nothing had to be changed." in machine.run("ainews/deploy/install.sh").stdout
