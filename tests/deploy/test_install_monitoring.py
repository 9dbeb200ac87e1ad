"""The files that install.sh --monitoring writes, by promtool and amtool, and what it refuses."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.monitoring.receivers import receivers
from tests.deploy.test_rules import ALERTS, NAMES, run, tool
from tests.deploy.test_scripts import error_of, install
from tests.docs.blocks import ROOT

MAIL, HOOK, WATCHDOG = "ops@example.org", "http://127.0.0.1:9099/alerts", "http://127.0.0.1:9099/w"
GIVEN = f"HOST=news.lan MONITORING=yes ALERT_MAIL={MAIL} ALERT_WEBHOOK={HOOK} WATCHDOG={WATCHDOG}"
ENV = {
    "ALERT_MAIL": MAIL,
    "ALERT_WEBHOOK": "",
    "WATCHDOG": "",
    "HOST": "news.lan",
    "EMAIL_URL": "",
    "EMAIL_FROM": "",
}


def written(script: str) -> str:
    done = install(script)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "ainews.env"
    file.write_text("METRICS_TOKEN=abc\nEMAIL_URL=smtp+tls://me:p%40ss@mail.example.org:587\n")
    return file


@pytest.fixture
def routes(settings: Path, tmp_path: Path) -> Path:
    file = tmp_path / "alertmanager.yml"
    file.write_text(written(f"{GIVEN} SETTINGS={settings}; alertmanager_text ."))
    return file


def test_prometheus_accepts_what_is_written(tmp_path: Path) -> None:
    promtool = tool("promtool")
    (tmp_path / "targets").mkdir()
    (tmp_path / "ainews-token").write_text("abc")
    text = written(f"APP={ROOT} HOST=news.lan; prometheus_text .")
    (tmp_path / "prometheus.yml").write_text(text)
    targets = written("HOST=news.lan; targets_text")
    (tmp_path / "targets" / "ainews.yml").write_text(targets)

    output = run(promtool, "check", "config", tmp_path / "prometheus.yml")

    assert output.count("rules found") == 2
    job = yaml.safe_load(text)["scrape_configs"][0]
    assert job["scheme"] == "https"
    assert job["authorization"]["credentials_file"] == "ainews-token"
    assert yaml.safe_load(targets)[0]["targets"] == ["news.lan:443"]
    assert "abc" not in text + targets


def test_alertmanager_accepts_what_is_written(routes: Path) -> None:
    run(tool("amtool"), "check-config", routes)

    config = yaml.safe_load(routes.read_text())
    ours = yaml.safe_load((ROOT / "deploy/monitoring/alertmanager.yml").read_text())
    assert config["route"] == ours["route"]
    assert config["inhibit_rules"] == ours["inhibit_rules"]
    pager = config["receivers"][1]
    assert pager["name"] == "pager"
    assert pager["webhook_configs"][0]["url"] == HOOK
    mail = pager["email_configs"][0]
    assert (mail["to"], mail["smarthost"]) == (MAIL, "mail.example.org:587")
    assert (mail["auth_username"], mail["auth_password"]) == ("me", "p@ss")
    assert config["receivers"][2]["webhook_configs"][0]["url"] == WATCHDOG


@pytest.mark.parametrize("rule", ALERTS[:3] + ALERTS[-1:], ids=NAMES[:3] + NAMES[-1:])
def test_an_alert_reaches_the_receiver_of_its_severity(rule: dict[str, Any], routes: Path) -> None:
    severity = rule["labels"]["severity"]
    expected = {"critical": "pager", "warning": "mail", "none": "watchdog"}[severity]
    labels = (f"alertname={rule['alert']}", f"severity={severity}")
    command = (tool("amtool"), "config", "routes", "test", f"--config.file={routes}")

    assert run(*command, *labels).strip() == expected


@pytest.mark.parametrize(
    ("url", "smarthost", "starttls"),
    [
        ("", "localhost:25", False),
        ("smtp://mail.lan", "mail.lan:25", False),
        ("smtp+tls://mail.lan", "mail.lan:587", True),
        ("smtp+ssl://mail.lan:465", "mail.lan:465", False),
    ],
)
def test_the_mail_server_is_that_of_the_settings(url: str, smarthost: str, starttls: bool) -> None:
    mail = receivers(ENV | {"EMAIL_URL": url})[0]["email_configs"][0]

    assert (mail["smarthost"], mail["require_tls"]) == (smarthost, starttls)
    assert mail["from"] == "AI News <ainews@news.lan>"


def test_without_a_watchdog_nobody_is_called_each_minute() -> None:
    assert receivers(ENV)[2] == {"name": "watchdog"}
    assert json.loads(json.dumps(receivers(ENV)))[0]["name"] == "mail"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("MONITORING=yes", "--monitoring needs a receiver of alerts"),
        ("ALERT_MAIL=a@b.org", "belong to --monitoring"),
        ("MONITORING=yes ALERT_MAIL=nobody", "'nobody' is not an e-mail address"),
        ("MONITORING=yes ALERT_WEBHOOK=news.lan", "'news.lan' is not an address that begins with"),
        ("MONITORING=yes ALERT_MAIL=a@b.org SETTINGS=/none", "needs a mail server: set EMAIL_URL"),
    ],
)
def test_what_cannot_alert_is_refused(given: str, message: str) -> None:
    assert message in error_of(install(f"holder() {{ :; }}; {given}; check_alerts"))


def test_both_programs_listen_on_loopback_only() -> None:
    text = written("drop_in_text prometheus; drop_in_text prometheus-alertmanager")

    assert text.count("--web.listen-address=127.0.0.1:") == 2
    assert "--cluster.listen-address=" in text
    assert text.count("EnvironmentFile=\n") == 2


def test_a_dry_run_names_the_steps_and_changes_nothing() -> None:
    steps = written(f"{GIVEN} dry_run=yes SETTINGS=/none; install_monitoring")

    assert "would      Install the packages prometheus prometheus-alertmanager" in steps or (
        shutil.which("prometheus")
    )
    assert "would      Write the token to a file that Prometheus alone reads" in steps
    assert not Path("/etc/prometheus/ainews").exists()


def test_the_choices_are_kept_for_later_runs(tmp_path: Path) -> None:
    file = tmp_path / "install.conf"
    file.write_text(written(f"{GIVEN}; choices_text"))

    read = f'CHOICES={file}; read_choices; echo "$MONITORING $ALERT_MAIL $ALERT_WEBHOOK $WATCHDOG"'
    assert written(read) == f"yes {MAIL} {HOOK} {WATCHDOG}\n"
    assert "MONITORING" not in written("HOST=news.lan; choices_text")


def test_only_prometheus_reads_the_token(settings: Path, tmp_path: Path) -> None:
    script = f"SETTINGS={settings} MONITORED={tmp_path}; chown() {{ :; }}; give_token"

    written(script)

    token = tmp_path / "ainews-token"
    assert token.read_text() == "abc"
    assert token.stat().st_mode & 0o777 == 0o400
