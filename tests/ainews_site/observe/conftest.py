"""The site that the tests of logs, traces and errors look at."""

from collections.abc import Iterator

import pytest

from tests.ainews_site.observe.world import World, running


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("observed")) as made:
        yield made
