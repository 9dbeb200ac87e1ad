"""The application of gunicorn in benchmarks: the product's, with a header that has the number of
queries of each request."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

from ainews_site.wsgi import application as product
from benchmarks.budgets import QUERIES_HEADER


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    from django.db import connections

    count = 0

    def counted(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal count
        count += 1
        return execute(sql, params, many, context)

    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        return start_response(status, [*headers, (QUERIES_HEADER, str(count))], *rest)

    with ExitStack() as stack:
        for connection in connections.all():
            stack.enter_context(connection.execute_wrapper(counted))
        return product(environ, start)
