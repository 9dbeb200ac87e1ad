from collections.abc import Iterator

import pytest

from tests.feeds.web.live.sockets import end_queries


@pytest.fixture(autouse=True)
def _no_query_outlives_its_test(request: pytest.FixtureRequest) -> Iterator[None]:
    if marker := request.node.get_closest_marker("django_db"):
        is_transactional = marker.kwargs.get("transaction", False)
        request.getfixturevalue("transactional_db" if is_transactional else "db")
    yield
    end_queries()
