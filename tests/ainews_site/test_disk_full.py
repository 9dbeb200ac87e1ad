"""A request that cannot be saved because the disk is full gets a page that says so."""

from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client

from tests.make import make_item, make_source, make_user

OF_POSTGRES = ("53100", "could not extend file: No space left on device")
OF_SQLITE = ("", "database or disk is full")


@pytest.mark.django_db
@pytest.mark.parametrize(("state", "text"), [OF_POSTGRES, OF_SQLITE])
def test_a_full_disk_is_no_error_of_the_program(client: Client, state: str, text: str) -> None:
    client.raise_request_exception = False
    reader = make_user()
    item = make_item(make_source(reader=reader))
    client.force_login(reader)

    class Cause(Exception):
        sqlstate = state

    def is_full(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.startswith("INSERT INTO"):
            raise OperationalError(text) from Cause(text)
        return execute(sql, *arguments)

    with connection.execute_wrapper(is_full):
        body = {"items": [item.pk], "saved": True}
        answer = client.post("/api/v1/states/", body, content_type="application/json")

    assert answer.status_code == 503
    assert b"disk of the server is full" in answer.content
    assert answer.headers["Retry-After"]
    assert client.get("/river/").status_code == 200
