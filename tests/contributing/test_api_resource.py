"""An API resource is one module and one line in `RESOURCES`."""

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from django.test import Client
from django.urls import include, path, set_urlconf

from accounts.models import ApiToken
from ainews_site.api import RESOURCES, api_urlpatterns
from tests.make import make_source, make_user
from tests.openapi import described, pattern_of

pytestmark = pytest.mark.django_db
URLCONF = "tests.contributing.toy_addresses"


@pytest.fixture(autouse=True)
def registered(settings: Any) -> Iterator[None]:
    module = ModuleType(URLCONF)
    resources = (*RESOURCES, "tests.contributing.toy_resource")
    module.urlpatterns = [path("api/v1/", include(api_urlpatterns(resources)))]  # type: ignore[attr-defined]
    sys.modules[URLCONF] = module
    settings.ROOT_URLCONF = URLCONF
    yield
    set_urlconf(None)
    del sys.modules[URLCONF]


def test_it_answers_the_reader_who_asks_and_nobody_else() -> None:
    reader = make_user()
    make_source(reader=reader)
    api = Client(headers={"authorization": f"Bearer {ApiToken.issue(reader, 'test')}"})

    answer = api.get("/api/v1/counts/")
    again = api.get("/api/v1/counts/", headers={"if-none-match": answer["ETag"]})

    assert answer.json() == {"sources": 1, "folders": 0}
    assert again.status_code == 304
    assert Client().get("/api/v1/counts/").status_code == 401


def test_it_is_described_and_the_others_stay() -> None:
    paths = described(URLCONF)["paths"]

    assert paths["/api/v1/counts/"]["get"]["summary"] == "How many sources the reader follows"
    assert pattern_of("/api/v1/counts/") == "/api/v1/counts/"
    assert set(described("ainews_site.urls")["paths"]) == set(paths) - {"/api/v1/counts/"}
