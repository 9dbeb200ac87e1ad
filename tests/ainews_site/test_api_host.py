"""The host of the API answers nothing else, however its name is written."""

import pytest
from django.conf import LazySettings
from django.http import HttpResponse
from django.test import RequestFactory

from ainews_site.api_host import ApiHostMiddleware


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        ("api.example.org", "/signin/", 404),
        ("API.example.org:443", "/signin/", 404),
        ("api.example.org.", "/signin/", 404),
        ("api.example.org", "/api/v1/items/", 200),
        ("news.example.org", "/signin/", 200),
    ],
)
def test_the_api_host_has_no_pages(
    settings: LazySettings, host: str, path: str, status: int
) -> None:
    settings.API_HOST = "api.example.org"
    middleware = ApiHostMiddleware(lambda request: HttpResponse())

    assert middleware(RequestFactory().get(path, HTTP_HOST=host)).status_code == status
