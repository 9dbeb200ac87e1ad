"""The rules and routes of deploy/monitoring, by promtool and amtool."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.blocks import ROOT

MONITORING = ROOT / "deploy" / "monitoring"
ALERTS = yaml.safe_load((MONITORING / "rules" / "alerts.yml").read_text())["groups"][0]["rules"]
NAMES = [rule["alert"] for rule in ALERTS]
DAY = 86_400
HISTOGRAM = {"0.5": "0+0x400", "60.0": "0+10x400", "+Inf": "0+10x400"}
REQUESTS = 'ainews_request_seconds_count{route="stories",status='

Series = dict[str, str]
"""Values from minute 0 on by series, in the notation of promtool."""

CASES: dict[str, tuple[Series, int]] = {
    # alert: the series that let it fire, and the minute by which it must fire
    "HighErrorRate": (
        {
            'source_fetch_errors_total{source_id="7"}': "0 1 1 1 2 2 3 3 3 4 4x200",
            'source_fetch_duration_count{source_id="7"}': "0 1 1 1 2 2 3 3 4 5 5x200",
        },
        20,
    ),
    "SlowIngest": (
        {
            'source_fetch_duration_sum{source_id="7"}': "0+19x100",
            'source_fetch_duration_count{source_id="7"}': "0+1x100",
        },
        80,
    ),
    "Down": ({'up{job="ainews",instance="a"}': "0x10"}, 5),
    "Degraded": ({"ainews_degraded": "1x10"}, 8),
    "DatabaseDown": ({"ainews_database_up": "0x10"}, 5),
    "RedisDown": ({"ainews_redis_up": "0x10"}, 8),
    "MeasureFailed": ({'ainews_measure_failed{group="disk"}': "1x30"}, 25),
    "NoWorker": ({"ainews_database_up": "1x30"}, 20),
    "PollsLate": ({"ainews_poll_lag_seconds": "1000x20"}, 15),
    "NoPoll": (
        {
            "ainews_last_poll_timestamp_seconds": "0x60",
            "ainews_poll_lag_seconds": "400x60",
        },
        50,
    ),
    "NoNewItems": (
        {
            "ainews_items_new_total": "5x1000",
            'source_fetch_duration_count{source_id="7"}': "0+1x1000",
        },
        900,
    ),
    "FetchesFail": (
        {
            'source_fetch_errors_total{source_id="other"}': "0+3x100",
            'source_fetch_duration_count{source_id="other"}': "0+4x100",
        },
        40,
    ),
    "QueueOld": ({'ainews_queue_age_seconds{queue="fast"}': "700x20"}, 10),
    "QueueLong": ({'ainews_queue_depth{queue="slow"}': "300x30"}, 20),
    "TasksFail": ({'ainews_tasks_total{task="poll_due",outcome="failed"}': "0+1x30"}, 20),
    "LeasesExpire": ({'ainews_lease_expiries_total{lease="source"}': "0+1x30"}, 20),
    "GroupingSlow": (
        {f'ainews_grouping_seconds_bucket{{le="{le}"}}': v for le, v in HISTOGRAM.items()},
        80,
    ),
    "ReplicaBehind": ({'ainews_replica_lag_seconds{replica="replica1"}': "60x20"}, 10),
    "DiskAlmostFull": (
        {
            'ainews_disk_free_bytes{instance="a"}': "8x30",
            'ainews_disk_bytes{instance="a"}': "100x30",
        },
        20,
    ),
    "DiskFull": (
        {
            'ainews_disk_free_bytes{instance="a"}': "2x30",
            'ainews_disk_bytes{instance="a"}': "100x30",
        },
        20,
    ),
    "CertificateExpires": ({"ainews_certificate_expiry_timestamp_seconds": f"{10 * DAY}x90"}, 80),
    "CertificateExpired": ({"ainews_certificate_expiry_timestamp_seconds": f"{DAY}x90"}, 20),
    "BackupTooOld": ({"ainews_backup_timestamp_seconds": "0x3000"}, 37 * 60 + 10),
    "ServerErrors": (
        {f'{REQUESTS}"5xx"}}': "0+6x30", f'{REQUESTS}"2xx"}}': "0+100x30"},
        15,
    ),
    "SlowPages": (
        {f'ainews_request_seconds_bucket{{le="{le}"}}': v for le, v in HISTOGRAM.items()},
        30,
    ),
    "RequestsRefused": ({"ainews_requests_refused_total": "0+60x30"}, 20),
    "EventsLate": (
        {f'ainews_event_delay_seconds_bucket{{le="{le}"}}': v for le, v in HISTOGRAM.items()},
        30,
    ),
    "ManySockets": ({'ainews_sockets{instance="a"}': "9000x20"}, 10),
    "DigestsFail": ({'ainews_digests_total{outcome="failed"}': "0 0 1 1x20"}, 5),
    "DeliveriesFail": (
        {'ainews_deliveries_total{channel="mail",outcome="given_up"}': "0 0 1 1x20"},
        5,
    ),
    "Overdue": ({'ainews_overdue{what="deliveries"}': "2x60"}, 40),
    "BudgetNearlySpent": (
        {"ainews_llm_month_cost_dollars": "9x10", "ainews_llm_budget_dollars": "10x10"},
        5,
    ),
    "LanguageModelFails": (
        {
            'ainews_llm_calls_total{provider="a",outcome="failed"}': "0+1x20",
            'ainews_llm_calls_total{provider="a",outcome="ok"}': "0 0 1 1x20",
        },
        15,
    ),
    "Watchdog": ({}, 1),
}
HEALTHY: Series = {
    'up{job="ainews",instance="a"}': "1x900",
    "ainews_degraded": "0x900",
    "ainews_database_up": "1x900",
    "ainews_redis_up": "1x900",
    'ainews_measure_failed{group="disk"}': "0x900",
    'ainews_processes{role="worker"}': "3x900",
    "ainews_poll_lag_seconds": "30x900",
    "ainews_last_poll_timestamp_seconds": "0+60x900",
    "ainews_items_new_total": "0+3x900",
    'source_fetch_errors_total{source_id="7"}': "0+0.05x900",
    'source_fetch_duration_count{source_id="7"}': "0+1x900",
    'source_fetch_duration_sum{source_id="7"}': "0+1x900",
    'ainews_queue_age_seconds{queue="fast"}': "20x900",
    'ainews_queue_depth{queue="fast"}': "3x900",
    'ainews_replica_lag_seconds{replica="replica1"}': "1x900",
    'ainews_replica_up{replica="replica1"}': "1x900",
    'ainews_disk_free_bytes{instance="a"}': "50x900",
    'ainews_disk_bytes{instance="a"}': "100x900",
    "ainews_certificate_expiry_timestamp_seconds": f"{60 * DAY}x900",
    "ainews_backup_timestamp_seconds": "0x900",
    f'{REQUESTS}"2xx"}}': "0+100x900",
    "ainews_requests_refused_total": "0x900",
    'ainews_sockets{instance="a"}': "50x900",
    'ainews_digests_total{outcome="written"}': "0+1x900",
    'ainews_deliveries_total{channel="mail",outcome="sent"}': "0+1x900",
    'ainews_overdue{what="deliveries"}': "0x900",
    "ainews_llm_month_cost_dollars": "2x900",
    "ainews_llm_budget_dollars": "10x900",
    'ainews_llm_calls_total{provider="a",outcome="ok"}': "0+1x900",
}


def tool(name: str) -> str:
    if path := shutil.which(name):
        return path
    pytest.skip(f"{name} is not installed")


def run(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def case(series: Series, minute: int, query: str, values: list[float]) -> dict[str, Any]:
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": text} for name, text in series.items()],
        "promql_expr_test": [
            {
                "expr": query,
                "eval_time": f"{minute}m",
                "exp_samples": [{"labels": "{}", "value": value} for value in values],
            }
        ],
    }


def firing(alert: str) -> str:
    return f'count(ALERTS{{alertstate="firing",{alert}}})'


def test_each_alert_fires_and_a_healthy_site_is_quiet(tmp_path: Path) -> None:
    promtool = tool("promtool")
    assert sorted(CASES) == sorted(NAMES)
    tests = [
        case(series, minute, firing(f'alertname="{name}"'), [1])
        for name, (series, minute) in CASES.items()
    ]
    tests.append(case(HEALTHY, 890, firing('alertname!="Watchdog"'), []))
    file = tmp_path / "tests.yml"
    rules = [str(path) for path in (MONITORING / "rules").glob("*.yml")]
    file.write_text(json.dumps({"rule_files": rules, "evaluation_interval": "1m", "tests": tests}))

    run(promtool, "test", "rules", file)


def test_prometheus_accepts_configuration_and_rules(tmp_path: Path) -> None:
    promtool = tool("promtool")
    shutil.copytree(MONITORING, tmp_path / "prometheus")
    (tmp_path / "prometheus" / "ainews-token").write_text("secret")

    run(promtool, "check", "config", tmp_path / "prometheus" / "prometheus.yml")
    run(promtool, "check", "rules", *(MONITORING / "rules").glob("*.yml"))


def test_alertmanager_accepts_its_configuration() -> None:
    run(tool("amtool"), "check-config", MONITORING / "alertmanager.yml")


@pytest.mark.parametrize("rule", ALERTS, ids=NAMES)
def test_an_alert_reaches_its_receiver(rule: dict[str, Any]) -> None:
    severity = rule["labels"]["severity"]
    expected = {"critical": "pager", "warning": "mail", "none": "watchdog"}[severity]
    route = (tool("amtool"), "config", "routes", "test")
    file = f"--config.file={MONITORING / 'alertmanager.yml'}"

    labels = (f"alertname={rule['alert']}", f"severity={severity}")
    assert run(*route, file, *labels).strip() == expected


def test_inhibition_names_alerts_that_exist() -> None:
    rules = yaml.safe_load((MONITORING / "alertmanager.yml").read_text())["inhibit_rules"]
    matchers = [m for rule in rules for m in (*rule["source_matchers"], *rule["target_matchers"])]
    named = re.findall(r"[A-Z][A-Za-z]+", " ".join(m for m in matchers if "alertname" in m))

    assert set(named) <= set(NAMES)


@pytest.mark.parametrize("rule", ALERTS, ids=NAMES)
def test_an_alert_has_an_entry_in_the_runbook(rule: dict[str, Any]) -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    anchor = rule["annotations"]["runbook_url"].partition("#")[2]

    assert anchor == rule["alert"].lower()
    entry = runbook.partition(f"\n## {rule['alert']}\n")[2].partition("\n## ")[0]
    assert len(entry) > 60
    assert rule["annotations"]["summary"]
