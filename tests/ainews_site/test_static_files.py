"""Static files: hashed addresses, caching, and pages of an earlier version, from a real server."""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from django.contrib.staticfiles import finders
from django.test import Client, override_settings

from ainews_site.config.data_folder import create_static_folder
from ainews_site.static_files import HashedFiles, _delete_old
from tests.ainews_site.test_nginx import Web, site_data

YEAR = "max-age=31536000, public, immutable"
GUNICORN = ["gunicorn", "-b", "127.0.0.1:PORT", "-k", "gthread", "-w", "1", "ainews_site.wsgi"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return site_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def server(data: Path) -> Iterator[httpx.Client]:
    """Gunicorn with all files of a new installation, without any other command."""
    with ExitStack() as stack:
        web = stack.enter_context(Web(GUNICORN, data))
        yield stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{web.port}", timeout=30))


def addresses(page: str) -> list[str]:
    return re.findall(r'(?:href|src)="(/static/[^"]+)"', page)


def test_what_a_page_names_may_be_cached_for_a_year(server: httpx.Client) -> None:
    names = addresses(server.get("/signin/").text)

    assert len(names) > 5
    for name in names:
        assert re.search(r"\.[0-9a-f]{12}\.\w+$", name)
        for encoding in ("br", "gzip"):
            file = server.get(name, headers={"Accept-Encoding": encoding})
            assert file.status_code == 200
            assert file.headers["Cache-Control"] == YEAR
            is_text = name.endswith((".css", ".js", ".svg"))
            assert file.headers.get("Content-Encoding") == (encoding if is_text else None)
        assert len(server.get(name, headers={"Accept-Encoding": "identity"}).content) == len(
            file.content
        )


def test_modules_import_each_other_by_hashed_names(server: httpx.Client) -> None:
    main = next(name for name in addresses(server.get("/signin/").text) if "main" in name)

    imported = re.findall(r'"\./(.+?)"', server.get(main).text)
    assert imported
    for name in imported:
        file = server.get(f"/static/js/{name}")
        assert file.headers["Cache-Control"] == YEAR
        assert file.headers["Content-Type"].startswith("text/javascript")


def test_the_page_of_another_version_gets_the_present_file(server: httpx.Client) -> None:
    file = server.get("/static/css/base.0123456789ab.css")

    assert file.status_code == 200
    assert file.content == server.get("/static/css/base.css").content
    assert file.headers["Cache-Control"] == "max-age=60, public"
    assert server.get("/static/css/none.0123456789ab.css").status_code == 404
    assert server.get("/static/..%2f..%2fmanage.0123456789ab.py").status_code == 404


def test_files_of_an_earlier_version_stay(server: httpx.Client, data: Path) -> None:
    """An upgrade changes base.css; a page that was loaded before it gets what it was made for."""
    old = data / "static" / "css" / "base.aaaaaaaaaaaa.css"
    old.parent.mkdir(parents=True, exist_ok=True)
    old.write_text("/* as it was */")

    file = server.get("/static/css/base.aaaaaaaaaaaa.css")
    assert file.text == "/* as it was */"
    assert file.headers["Cache-Control"] == YEAR


def test_an_unhashed_address_is_checked_again_soon(server: httpx.Client) -> None:
    file = server.get("/static/css/base.css")

    assert file.headers["Cache-Control"] == "max-age=60, public"
    unchanged = server.get("/static/css/base.css", headers={"If-None-Match": file.headers["ETag"]})
    assert unchanged.status_code == 304


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which `finders` look."""
    monkeypatch.setattr(
        finders, "find", lambda name: str(tmp_path / name) if (tmp_path / name).exists() else None
    )
    return tmp_path


def test_a_name_changes_with_what_the_file_imports(sources: Path) -> None:
    (sources / "a.js").write_text('import { b } from "./b.js";\nimport("./b.js");')
    (sources / "b.js").write_text('export { c } from "./c.js";')
    (sources / "c.js").write_text('import "./a.js";')
    before = {name: HashedFiles().hashed_name(name) for name in ("a.js", "b.js", "c.js")}
    assert before["b.js"] in HashedFiles().content("a.js").decode()
    assert HashedFiles().content("a.js").decode().count(before["b.js"]) == 2

    (sources / "c.js").write_text('import "./a.js"; // new')
    after = {name: HashedFiles().hashed_name(name) for name in before}
    assert all(before[name] != after[name] for name in before)


def test_styles_refer_to_pictures_by_hashed_names(sources: Path) -> None:
    (sources / "css").mkdir()
    (sources / "css" / "a.css").write_text(
        '@import "b.css"; p { background: url(../icon.svg#x), url("data:image/png;base64,AA=="),'
        " url(../missing.svg), url(../../outside.svg) }"
    )
    (sources / "css" / "b.css").write_text("p {}")
    (sources / "icon.svg").write_text("<svg/>")
    files = HashedFiles()

    content = files.content("css/a.css").decode()
    assert f"url(../{files.hashed_name('icon.svg')}#x)" in content
    assert f'@import "{files.hashed_name("css/b.css").removeprefix("css/")}"' in content
    assert 'url("data:image/png;base64,AA==")' in content
    assert "url(../missing.svg), url(../../outside.svg)" in content


def test_all_our_modules_and_styles_are_hashed_as_a_whole() -> None:
    files = HashedFiles()
    root = Path(__file__).resolve().parents[2] / "static"
    for path in [*root.rglob("*.js"), *root.rglob("*.css")]:
        content = files.content(path.relative_to(root).as_posix()).decode()
        assert not re.search(r"""(from|import) *["']\./[\w-]+\.js["']""", content)


def test_only_a_few_versions_of_a_file_are_kept(tmp_path: Path) -> None:
    for number in range(9):
        for ending in ("", ".br", ".gz"):
            path = tmp_path / f"a.{number:012x}.css{ending}"
            path.write_text("")
    (tmp_path / "b.000000000000.css").write_text("")
    _delete_old(tmp_path / "a.000000000008.css")

    assert len(list(tmp_path.glob("a.*.css"))) == 5
    assert len(list(tmp_path.glob("a.*.br"))) == 5
    assert (tmp_path / "b.000000000000.css").exists()


@pytest.mark.filterwarnings("ignore:No directory")
def test_a_full_disk_does_not_keep_styles_from_pages(
    tmp_path: Path, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """What stands in the way of the folder is a file here."""
    (tmp_path / "static").write_text("")
    name = HashedFiles().hashed_name("css/base.css")
    with override_settings(STATIC_ROOT=tmp_path / "static"):
        file = client.get(f"/static/{name}")

    assert file.status_code == 200
    assert file.headers["Cache-Control"] == "max-age=60, public"
    assert "Static files are sent uncompressed" in caplog.text


@pytest.mark.parametrize("exists", [False, True])
def test_another_user_reads_the_folder_whatever_the_umask(tmp_path: Path, exists: bool) -> None:
    """As Nginx does, which sends the files that a service with a strict umask has written."""
    folder = tmp_path / "static"
    before = os.umask(0o027)
    try:
        if exists:
            folder.mkdir()
        create_static_folder(folder)
    finally:
        os.umask(before)

    assert folder.stat().st_mode & 0o777 == 0o755
