"""Lines of the log, as JSON and as text."""

import json
import logging
import re
import subprocess
import sys
from typing import Any

import pytest

from ainews_site.config.logs import log_format, logging_settings
from ainews_site.observe.context import of_request
from ainews_site.observe.log_filters import OncePerMinute, UnknownHost
from ainews_site.observe.log_lines import JsonLines, TextLines
from tests.prepared import ROOT


def record(message: Any, *arguments: Any, name: str = "feeds.x", **more: Any) -> logging.LogRecord:
    return logging.LogRecord(name, logging.WARNING, "x.py", 1, message, arguments, **more)


def line(message: Any, *arguments: Any, **more: Any) -> dict[str, Any]:
    more.setdefault("exc_info", None)
    parsed: dict[str, Any] = json.loads(JsonLines().format(record(message, *arguments, **more)))
    return parsed


def test_an_event_has_its_values_as_fields() -> None:
    parsed = line("source_moved source_id=%s reason=%s share=%.1f", 3, "it 'moved'", 0.5)

    assert parsed.pop("time").endswith("Z")
    assert parsed == {
        "event": "source_moved",
        "source_id": 3,
        "reason": "it 'moved'",
        "share": 0.5,
        "level": "warning",
        "logger": "feeds.x",
    }


def test_any_other_message_is_the_event() -> None:
    assert line("Redis %s. Pages continue.", "is back")["event"] == "Redis is back. Pages continue."
    assert line({"a": "b"})["event"] == "{'a': 'b'}"
    assert line("100 %")["event"] == "100 %"


def test_a_line_has_the_ids_of_its_request() -> None:
    with of_request("0123456789abcdef"):
        parsed = line("poll_crashed source_id=%s", 1)

    assert parsed["request_id"] == "0123456789abcdef"
    assert "task_id" not in parsed


def test_an_exception_is_a_field_without_secrets() -> None:
    try:
        raise ValueError("https://a.example/s3cr3t refused password=hunter22")
    except ValueError:
        parsed = line("poll_crashed source_id=%s", 1, exc_info=sys.exc_info())

    assert "ValueError: https://a.example/… refused password=[hidden]" in parsed["exception"]
    assert "hunter22" not in json.dumps(parsed)


def test_a_line_break_in_a_value_makes_no_second_line() -> None:
    assert "\n" not in JsonLines().format(record("a reason=%s", "b\n{}", exc_info=None))


def test_text_is_as_before_without_secrets() -> None:
    text = TextLines().format(record("Not Found: %s", "/signin/abc/", exc_info=None))

    assert text.endswith(" WARNING feeds.x Not Found: /signin/[hidden]/")


def test_a_value_can_neither_begin_a_line_of_text_nor_control_the_terminal() -> None:
    text = TextLines().format(record("title=%s", "a\n2026 INFO x forged\x1b[2J", exc_info=None))

    assert text.endswith(r" WARNING feeds.x title=a\n2026 INFO x forged\x1b[2J")
    assert text.isprintable()


def test_a_traceback_has_its_lines_in_text() -> None:
    try:
        raise ValueError("bad\x1b[2J")
    except ValueError:
        lines = TextLines().format(record("poll_crashed", exc_info=sys.exc_info())).splitlines()

    assert lines[0].endswith(" WARNING feeds.x poll_crashed")
    assert lines[-1] == r"ValueError: bad\x1b[2J"


def test_requests_for_unknown_hosts_are_one_warning_a_minute() -> None:
    unknown = UnknownHost()
    first, second = (
        logging.LogRecord("django.security", logging.ERROR, "x", 1, "Invalid", (), ("x", "y", None))  # type: ignore[arg-type]
        for _ in range(2)
    )

    assert [unknown.filter(first), unknown.filter(second)] == [True, False]
    assert (first.levelname, first.exc_info) == ("WARNING", None)
    assert "django.security.DisallowedHost" in logging_settings("INFO", "json")["loggers"]


@pytest.mark.parametrize("options", [[], ["-c", "python:ainews_site.process.gunicorn_hooks"]])
def test_gunicorn_uses_the_same_format(options: list[str]) -> None:
    command = [sys.executable, "-m", "gunicorn", *options, "--print-config", "ainews_site.wsgi"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert re.search(r"logger_class\s*= .*ainews_site\.observe\.gunicorn_logger", done.stdout)


def test_auto_is_json_where_nobody_reads_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    assert log_format("auto") == "json"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert log_format("auto") == "text"
    assert log_format("json") == "json"


def test_a_terminal_has_no_line_for_each_request() -> None:
    levels = {kind: logging_settings("INFO", kind)["loggers"] for kind in ("text", "json")}

    assert levels["text"]["ainews.access"] == {"level": "WARNING"}
    assert levels["json"]["ainews.access"] == {}


def test_a_library_reports_a_repeated_problem_once_a_minute() -> None:
    often = OncePerMinute()
    failures = [record("Failed: %s", n, name="opentelemetry.sdk", exc_info=None) for n in (1, 2)]

    assert [often.filter(failure) for failure in failures] == [True, False]
    assert often.filter(record("Failed: %s", 3, exc_info=None))
