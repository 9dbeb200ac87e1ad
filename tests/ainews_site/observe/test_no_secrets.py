"""Planted secrets are in nothing that a site writes or sends, whether it succeeds or fails."""

import base64

import pytest

from tests.ainews_site.observe.world import World

PERSONAL = ("ann.reader@example.org", "203.0.113.", "Mozilla", "python-httpx")
IN_BACKUPS = {"feed", "webhook", "session"}
"""Secrets that the database needs as they are; see docs/reference/secrets.md."""


def secrets_in(world: World, text: str) -> list[str]:
    values = {name: value for name, value in world.planted.items() if len(value) > 6}
    return sorted(name for name, value in values.items() if value in text)


def test_the_site_has_succeeded_and_failed(world: World) -> None:
    statuses = {name: answer.status_code for name, answer in world.answers.items()}

    assert statuses["river"] == statuses["api"] == statuses["feed"] == 200
    assert statuses["crash"] == 500
    assert statuses["locked"] == 503
    assert statuses["forged"] == 403
    assert statuses["wrong token"] == 401
    assert statuses["no page"] == statuses["no feed"] == 404
    assert statuses["/admin/"] == 200


def test_logs_have_no_secrets(world: World) -> None:
    assert secrets_in(world, world.logs()) == []
    assert "planted" not in world.logs()


def test_logs_have_no_personal_data(world: World) -> None:
    assert [text for text in PERSONAL if text in world.logs()] == []


def test_error_pages_and_the_admin_have_no_secrets(world: World) -> None:
    shown = {"locked", "forged", "crash", "no page", "bad link", "wrong token", "sign-in"}
    for name in shown | {"/admin/", "/admin/feeds/languageuse/", "webhook", "mail", "ask"}:
        shown_secrets = set(secrets_in(world, world.answers[name].text))
        assert shown_secrets <= {"query"}, name  # a page may link to its own address


def test_errors_for_sentry_have_no_secrets(world: World) -> None:
    assert len(world.receiver.events) >= 2
    assert secrets_in(world, str(world.receiver.events)) == []


def test_traces_have_no_secrets(world: World) -> None:
    sent = b"".join(world.receiver.raw).decode("latin-1")

    assert secrets_in(world, sent) == []
    assert [text for text in PERSONAL if text in sent] == []


def test_the_result_of_a_failed_task_has_no_secrets(world: World) -> None:
    (stored,) = [text for func, text in world.stored.items() if func.endswith("failing_urls.task")]
    result = base64.b64decode(stored).decode(errors="replace")

    assert "https://news.example/… failed, token=[hidden]" in result
    assert secrets_in(world, result) == []


def test_a_backup_has_only_the_secrets_that_the_database_needs(world: World) -> None:
    assert set(secrets_in(world, world.backup.decode("latin-1"))) <= IN_BACKUPS


@pytest.mark.parametrize("name", ["feed", "webhook"])
def test_the_search_finds_what_is_there(world: World, name: str) -> None:
    assert name in secrets_in(world, world.backup.decode("latin-1"))
