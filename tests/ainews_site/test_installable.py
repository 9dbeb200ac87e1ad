"""The manifest, the icons, the service worker and the offline page."""

import json
import re
import struct
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from tests.icons import SIZES, STATIC
from tests.make import make_user


def test_the_manifest_names_icons_that_exist(client: Client) -> None:
    response = client.get("/manifest.webmanifest")

    assert response.headers["Content-Type"] == "application/manifest+json"
    icons = json.loads(response.content)["icons"]
    assert {(icon["sizes"], icon["purpose"]) for icon in icons} == {
        ("any", "any"),
        ("192x192", "any"),
        ("512x512", "any"),
        ("512x512", "maskable"),
    }
    for icon in icons:
        file = client.get(icon["src"])
        assert file.status_code == 200
        assert file.headers["Content-Type"] == icon["type"]
        assert "immutable" in file.headers["Cache-Control"]


@pytest.mark.parametrize(("name", "side"), SIZES.items())
def test_icons_have_their_size(name: str, side: int) -> None:
    picture = Path(str(finders.find(f"icons/{name}.png"))).read_bytes()
    assert struct.unpack(">II", picture[16:24]) == (side, side)
    assert len(picture) < 30_000


@pytest.mark.django_db
def test_shortcuts_lead_to_pages(client: Client) -> None:
    client.force_login(make_user())
    for shortcut in json.loads(client.get("/manifest.webmanifest").content)["shortcuts"]:
        assert client.get(shortcut["url"]).status_code == 200


def test_the_worker_caches_the_offline_page_and_static_files_alone(client: Client) -> None:
    response = client.get("/worker.js")

    assert response.headers["Content-Type"] == "text/javascript"
    assert response.headers["Cache-Control"] == "no-cache"
    text = response.content.decode()
    files = json.loads(re.search(r"FILES = (\[.+?\]);", text)[1])  # type: ignore[index]
    assert files[0] == "/offline/"
    assert all(file.startswith("/static/") for file in files[1:])
    imported = re.search(r'importScripts\("(.+?)"\)', text)
    for path in [*files, imported[1] if imported else ""]:
        assert client.get(path).status_code == 200


def test_the_offline_page_needs_no_other_file(client: Client) -> None:
    files = json.loads(
        re.search(r"FILES = (\[.+?\]);", client.get("/worker.js").content.decode())[1]  # type: ignore[index]
    )
    page = client.get("/offline/").content.decode()

    assert "Nothing was sent or saved." in page
    assert set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page)) == set(files[1:])
    style = (STATIC / "css" / "problem.css").read_text()
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.django_db
def test_signing_out_clears_what_the_browser_stored(client: Client) -> None:
    client.force_login(make_user())
    assert client.post("/signout/").headers["Clear-Site-Data"] == '"cache", "storage"'
