"""The rows of the checklist on settings, in both states."""

from pathlib import Path

import pytest
from django.conf import LazySettings

from ainews_site.production import secrets
from ainews_site.production.row import State


@pytest.fixture
def site(settings: LazySettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LazySettings:
    """An installation in which all these rows are done."""
    monkeypatch.setenv("SITE_URL", "https://news.example")
    monkeypatch.setenv("DATABASE_URL", "postgres://ainews@db.example/ainews")
    monkeypatch.setattr(secrets, "env_file", lambda: tmp_path / ".env")
    monkeypatch.setattr(secrets, "run_checks", list)
    monkeypatch.setattr(secrets, "service_group", lambda: -1)
    settings.SITE_URL, settings.DATA, settings.DEBUG = "https://news.example", tmp_path, False
    settings.SECRET_KEY = "abcdefghij" * 5
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    settings.ALLOWED_HOSTS = ["news.example"]
    settings.COSTLY_AT_ONCE = 1
    return settings


def test_a_whole_installation_is_ok(site: LazySettings) -> None:
    rows = (secrets.environment, secrets.secrets, secrets.origins, secrets.limits)

    assert {row().state for row in rows} == {State.OK}


def test_debug_and_missing_variables_are_not_done(
    site: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SITE_URL")
    assert secrets.environment().sentence == "SITE_URL is not set."

    site.DEBUG = True
    assert secrets.environment().sentence.startswith("DEBUG is on")


def test_a_reported_setting_is_a_warning(
    site: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.core.checks import Warning

    message = Warning("WORKERS is odd.", hint="Unset it.")
    monkeypatch.setattr(secrets, "run_checks", lambda: [message])

    outcome = secrets.environment()

    assert (outcome.state, outcome.remedy) == (State.WARNING, "Unset it.")


@pytest.mark.parametrize("key", ["short", "x" * 60])
def test_a_weak_key_is_not_done(site: LazySettings, key: str) -> None:
    site.SECRET_KEY = key

    assert secrets.secrets().sentence == "SECRET_KEY can be guessed."


@pytest.mark.parametrize(("mode", "who"), [(0o644, "everybody"), (0o640, "its group"), (0o600, "")])
def test_files_with_secrets_are_their_owners(
    site: LazySettings, tmp_path: Path, mode: int, who: str
) -> None:
    file = tmp_path / ".env"
    file.write_text("SECRET_KEY=x")
    file.chmod(mode)

    outcome = secrets.secrets()

    assert outcome.state == (State.NOT_DONE if who else State.OK)
    assert who in outcome.sentence
    assert f"chmod 600 {file}" in outcome.remedy or not who


def test_root_may_let_the_service_read_its_settings(
    site: LazySettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / ".env"
    file.write_text("SITE_URL=x")
    file.chmod(0o640)
    if file.stat().st_uid:
        pytest.skip("needs root")
    monkeypatch.setattr(secrets, "service_group", lambda: file.stat().st_gid)

    assert secrets.secrets().state == State.OK


def test_secrets_may_come_from_systemd(site: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/ainews-pages.service")

    assert "credentials of systemd" in secrets.secrets().sentence


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ({"CORS_ALLOWED_ORIGINS": ["https://app.example"]}, State.OK),
        ({"CORS_ALLOWED_ORIGINS": ["http://app.example"]}, State.WARNING),
        ({"CORS_ALLOWED_ORIGINS": ["*"]}, State.NOT_DONE),
        ({"CORS_ALLOW_ALL_ORIGINS": True}, State.NOT_DONE),
        ({"ALLOWED_HOSTS": ["*"]}, State.NOT_DONE),
    ],
)
def test_only_named_origins_may_call(
    site: LazySettings, values: dict[str, object], state: State
) -> None:
    for name, value in values.items():
        setattr(site, name, value)

    assert secrets.origins().state == state


def test_limits_must_be_on(site: LazySettings) -> None:
    site.TRUSTED_PROXIES = []
    assert secrets.limits().state == State.WARNING

    site.QUOTAS = {"sources": 0}
    assert secrets.limits().sentence == "There is no quota of sources."

    site.COSTLY_AT_ONCE = 0
    assert secrets.limits().state == State.NOT_DONE
