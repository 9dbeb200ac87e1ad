"""Each configuration error is reported in one sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ainews_site.config.values import check_boolean

ROOT = Path(__file__).resolve().parents[2]


def test_an_invalid_port_is_one_clear_sentence(tmp_path: Path) -> None:
    env = os.environ | {"PORT": "abc", "DATA": str(tmp_path)}

    done = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, env=env, capture_output=True, text=True
    )

    assert done.returncode == 1
    assert done.stderr.strip() == "PORT must be a whole number, not 'abc'; see .env.example."


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DATA", "/proc/nope", "cannot be created"),
        ("DATABASE_URL", "nonsense", "not a database URL"),
        ("DATABASE_URL", "foo://host/name", "not a database URL"),
        ("FETCH_TIMEOUT", "soon", "FETCH_TIMEOUT must be a number, not 'soon'"),
        ("DEBUG", "maybe", "DEBUG must be True or False, not 'maybe'"),
        ("METRICS", "Ture", "METRICS must be True or False, not 'Ture'"),
        ("SITE_URL", "news.example.org", "SITE_URL must be http(s)://host"),
        ("SITE_URL", "https://news.example.org/path", "SITE_URL must be http(s)://host"),
        ("EMAIL_URL", "https://mail.example.org", "EMAIL_URL must begin with one of smtp://"),
        ("EMAIL_URL", "smtp://host:port", "EMAIL_URL is not a valid URL"),
        ("EMAIL_URL", "smtp+tls:", "EMAIL_URL has no host"),
        ("REQUESTS_AT_ONCE", "0", "REQUESTS_AT_ONCE must be 1 or more"),
        ("TIME_ZONE", "Mars", "TIME_ZONE must be the name of a time zone such as Europe/Berlin"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR, not 'loud'"),
        ("FETCH_PORTS", "80,http", "FETCH_PORTS must list ports from 1 to 65535, not 'http'"),
        ("DIGEST_HOUR", "24", "DIGEST_HOUR must be 0 to 23"),
    ],
)
def test_each_invalid_setting_is_one_clear_sentence(
    tmp_path: Path, name: str, value: str, says: str
) -> None:
    env = os.environ | {"DATA": str(tmp_path), name: value}
    command = [sys.executable, "manage.py", "check"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("value", ["True", "false", "1", "0", " on ", "No", "none", "2"])
def test_the_usual_words_for_true_and_false_are_accepted(value: str) -> None:
    check_boolean(value)


def test_an_empty_value_means_the_default(tmp_path: Path) -> None:
    env = os.environ | {"DATA": str(tmp_path), "PORT": "", "DATABASE_URL": ""}
    command = [sys.executable, "manage.py", "check"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_first_start_that_was_killed_leaves_no_empty_key(tmp_path: Path) -> None:
    (tmp_path / "secret_key").touch()
    env = os.environ | {"DATA": str(tmp_path), "SECRET_KEY": ""}

    command = [sys.executable, "manage.py", "check"]
    subprocess.run(command, cwd=ROOT, env=env, capture_output=True, check=True)

    assert len((tmp_path / "secret_key").read_text()) > 40
    assert [path.name for path in tmp_path.glob("secret_key*")] == ["secret_key"]
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0


def test_mail_without_a_sender_or_site_url_gives_a_warning(tmp_path: Path) -> None:
    env = os.environ | {"DATA": str(tmp_path), "EMAIL_URL": "smtp+tls://u:secret@mail.example"}
    command = [sys.executable, "manage.py", "check"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert (
        "EMAIL_URL is set but EMAIL_FROM is not, so digests can't be sent by e-mail." in done.stderr
    )
    assert (
        "EMAIL_URL is set but SITE_URL is not, so digests can't be sent by e-mail." in done.stderr
    )
    assert "secret" not in done.stderr
