"""Errors in our words: what happened, what was done, what to do next."""

import re

import pytest
from django.conf import settings as site_settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ainews_site.infra.problem_page import Problem, page_of
from tests.make import make_user


@pytest.fixture
def broken(settings: object) -> Client:
    settings.ROOT_URLCONF = "tests.broken_urls"  # type: ignore[attr-defined]
    return Client(raise_request_exception=False, enforce_csrf_checks=True)


def sentences(page: str) -> list[str]:
    return re.findall(r"<p[^>]*>(?:<[^>]+>)?([^<]+)<", page)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/broken/", 500, ["Something broke on our side.", "Your news is safe.", "Try again"]),
        ("/limited/", 429, ["Try again in 30 seconds.", "This request was not carried out."]),
        ("/?q=%00", 400, ["cannot be stored", "Nothing was saved.", "Remove it"]),
    ],
)
def test_a_problem_is_explained_without_a_query(
    broken: Client, path: str, status: int, words: list[str]
) -> None:
    """There is no database mark here: any query would fail the test."""
    response = broken.get(path)

    assert response.status_code == status
    page = response.content.decode()
    for text in words:
        assert text in " ".join(sentences(page))
    assert re.search(r'href="/static/css/problem\.[0-9a-f]{12}\.css"', page)
    assert "Django" not in page


def test_a_refusal_says_when_to_come_back(broken: Client) -> None:
    assert broken.get("/limited/").headers["Retry-After"] == "30"


def test_the_api_explains_an_error_as_json(broken: Client) -> None:
    response = broken.get("/api/v1/broken/")
    assert response.status_code == 500
    assert response.json() == {"detail": "Something broke on our side."}


@pytest.mark.django_db
def test_an_old_form_is_explained(broken: Client) -> None:
    broken.force_login(make_user())
    page = broken.post("/signout/")

    assert page.status_code == 403
    text = " ".join(sentences(page.content.decode()))
    assert "Your session changed, or this form is too old. Nothing was saved." in text
    assert "Go back, reload the page and try again." in text


def test_a_form_without_any_cookie_is_explained(broken: Client) -> None:
    page = broken.post("/signin/", {"username": "reader"})
    assert page.status_code == 403
    assert "Allow cookies for this site." in page.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "status"), [("/forbidden/", 403), ("/nothing/", 404)])
def test_what_is_not_there_or_not_allowed(broken: Client, path: str, status: int) -> None:
    broken.force_login(make_user())
    with CaptureQueriesContext(connection) as queries:
        response = broken.get(path)

    assert response.status_code == status
    assert "Back to stories" in response.content.decode()
    assert len(queries) < 12


@pytest.mark.django_db
def test_the_address_of_a_form_is_explained(broken: Client) -> None:
    broken.force_login(make_user())
    page = broken.get("/trends/seen/")

    assert page.status_code == 405
    assert page.headers["Allow"] == "POST"
    assert "This address only accepts forms." in page.content.decode()


def test_a_bad_host_is_explained(broken: Client) -> None:
    page = broken.get("/signin/", headers={"Host": "elsewhere.example"})
    assert page.status_code == 400
    assert "Go back, reload the page and try again." in page.content.decode()


def test_texts_are_escaped() -> None:
    page = page_of(Problem("<b>", "<i>", "<u>", "<s>", link='/"><x', label="<p>"))
    for tag in ("<b>", "<i>", "<u>", "<s>", "<x", "<p></a>"):
        assert tag not in page


def test_the_page_appears_without_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of static files cannot be read, which may be the error."""

    def fail(name: str) -> str:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("ainews_site.infra.problem_page.static", fail)
    page = page_of(Problem("Title", "It failed.", "Nothing was saved."))
    assert f'href="{site_settings.STATIC_URL}css/problem.css"' in page
