"""`serve` runs what is recurring, also where nobody ran `start` or `worker` before."""

import pytest
from django.core.management import call_command
from django.db import connection
from django_q.models import Schedule

from ainews_site.management.commands import serve


@pytest.mark.django_db
def test_serve_creates_the_schedules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "run", lambda ready: None)
    monkeypatch.setattr(serve, "port_problem", lambda host, port: "")
    monkeypatch.setattr(serve, "check_command", lambda: None)
    monkeypatch.setattr(connection, "close", lambda: None)
    Schedule.objects.all().delete()

    call_command("serve")

    assert Schedule.objects.filter(name="poll_due").count() == 1
