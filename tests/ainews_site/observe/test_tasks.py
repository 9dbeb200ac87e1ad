"""The ids in the messages of the queue, whatever the broker."""

from typing import Any

import pytest
from django_q.signing import SignedPackage
from django_q.tasks import async_task

from ainews_site.observe import tasks
from ainews_site.observe.context import of_request, request_id, task_id

SENT = "nginx-0123456789abcdef"


class Broker:
    list_key = "ainews"

    def enqueue(self, message: str) -> int:
        self.message: dict[str, Any] = SignedPackage.loads(message)
        return 1


def message(**options: Any) -> dict[str, Any]:
    broker = Broker()
    async_task("feeds.tasks.poll_due", broker=broker, **options)
    return broker.message


def test_a_message_has_the_id_of_its_request() -> None:
    with of_request(SENT):
        assert message()["request_id"] == SENT


def test_a_message_without_a_request_has_none() -> None:
    assert "request_id" not in message()


@pytest.mark.parametrize("sent", [SENT, None, 7, "with spaces and\nlines"])
def test_a_task_runs_with_a_valid_id_or_none(sent: Any) -> None:
    task: dict[str, Any] = {"id": "abc", "func": "feeds.tasks.poll_due"}
    task |= {} if sent is None else {"request_id": sent}

    tasks._begin(func=None, task=task)
    try:
        assert request_id.get() == (SENT if sent == SENT else "")
        assert task_id.get() == "abc"
    finally:
        tasks._end(func=None, task=task | {"success": True, "result": None})

    assert request_id.get() == task_id.get() == ""
