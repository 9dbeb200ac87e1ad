"""A list never loads the sign-in page, or the rows of a reader who signed in later."""

from django.test import Client

from accounts.models import User
from tests.make import make_user


def test_a_list_of_a_reader_who_is_signed_out_leads_to_the_sign_in_page() -> None:
    page = "http://testserver/river/?unread=1"
    headers = {"HX-Request": "true", "HX-Current-URL": page, "X-Reader": "1"}
    answer = Client().get("/river/?before=9", headers=headers)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer["HX-Redirect"] == "/signin/?next=%2Friver%2F%3Funread%3D1"
    assert Client().get("/river/").status_code == 302
    assert (
        Client(enforce_csrf_checks=True)
        .post("/item/1/state/", headers={"X-Reader": "1"})
        .status_code
        == 401
    )


def test_a_page_of_another_reader_is_loaded_again(page: Client, reader: User) -> None:
    other = make_user("other")
    for method in (page.get, page.post):
        answer = method("/river/", headers={"X-Reader": str(other.pk)})
        assert (answer.status_code, answer["HX-Refresh"]) == (409, "true")
    assert page.get("/river/", headers={"X-Reader": str(reader.pk)}).status_code == 200
