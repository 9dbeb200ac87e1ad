"""Each test has metric files of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from ainews_site.infra import metric_files as files


@pytest.fixture(autouse=True)
def fresh_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    files.close()
    monkeypatch.setattr(settings, "DATA", tmp_path)
    yield
    files.close()
