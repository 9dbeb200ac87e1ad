"""The wheel has everything that AI News needs, and runs without the checkout."""

import email
import os
import re
import signal
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from ainews_site.infra.version import program_version
from tests.prepared import ROOT
from tests.services import free_port
from tests.wheel.conftest import build


def tracked(*folders: str) -> set[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *folders]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {line for line in listed.stdout.splitlines() if (ROOT / line).is_file()}


def test_the_wheel_has_every_file_of_the_program_and_no_other(wheel: Path) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    packages = tracked("accounts", "ainews_site", "digests", "feeds")
    shared = {f"ainews_site/share/{name}" for name in tracked("static", "templates")}

    assert inside == packages | shared | {"ainews_site/share/.env.example"}


def test_the_wheel_asks_for_what_the_requirements_list(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith("/METADATA")]
        metadata = email.message_from_bytes(archive.read(name))
    needed = metadata.get_all("Requires-Dist") or []

    assert metadata["Version"] == program_version()
    assert metadata.get_all("Provides-Extra") == ["intelligence", "server"]
    assert _names(line for line in needed if "extra ==" not in line) == _listed("base")
    for extra in ("server", "intelligence"):
        assert _names(line for line in needed if f"'{extra}'" in line) == _listed(extra)
    assert all(re.search(r">=\d", line) for line in needed)


def _names(lines: Iterator[str]) -> set[str]:
    return {re.split(r"[\[<>=; ]", line)[0] for line in lines}


def _listed(name: str) -> set[str]:
    lines = (ROOT / "requirements" / f"{name}.in").read_text().splitlines()
    return _names(line for line in lines if line and not line.startswith("-r"))


def test_two_builds_give_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        build(tmp_path / folder, "sdist")
    build(tmp_path / "one", "wheel")

    assert (tmp_path / "one" / wheel.name).read_bytes() == wheel.read_bytes()
    [first, second] = sorted(tmp_path.glob("*/*.tar.gz"))
    assert first.read_bytes() == second.read_bytes()


class Home:
    """An empty home folder, and the commands that are run in it."""

    def __init__(self, ainews: Path, folder: Path) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self.ainews, self.folder, self.env = ainews, folder, kept | {"HOME": str(folder)}

    @property
    def data(self) -> Path:
        return self.folder / ".local" / "share" / "ainews"

    def run(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [self.ainews, *arguments],
            cwd=self.folder,
            env=self.env | variables,
            capture_output=True,
            text=True,
        )


@pytest.fixture
def home(installed: Path, tmp_path: Path) -> Home:
    return Home(installed, tmp_path)


@pytest.mark.slow
def test_a_newcomer_is_helped(home: Home) -> None:
    said = home.run()
    assert said.returncode == 0
    assert "ainews demo" in said.stdout
    assert str(home.data) in said.stdout
    assert home.run("--version").stdout == f"AI News {program_version()}\n"
    assert "--newsroom-port" in home.run("demo", "--help").stdout
    assert home.run("settings").stdout == (ROOT / ".env.example").read_text()
    assert "restore_archive" in home.run("commands").stdout
    unknown = home.run("sevre")
    assert unknown.returncode == 1
    assert "Did you mean serve?" in unknown.stderr
    assert [path.name for path in home.folder.iterdir()] == [".local"]


@pytest.mark.slow
def test_the_data_and_the_settings_are_in_the_home_folder(home: Home) -> None:
    report = home.run("doctor")
    assert f"{home.data}/ainews.sqlite3 has no tables yet. Run {home.ainews} migrate" in (
        report.stdout
    )
    (home.data / ".env").write_text("PORT=abc\n")
    assert "PORT must be a whole number, not 'abc'" in home.run("doctor").stderr
    (home.data / ".env").write_text(f"DATA={home.folder}/elsewhere\n")
    (home.folder / ".env").write_text("DATABASE_URL=nonsense\n")  # that of another program
    assert home.run("migrate", "-v0").returncode == 0
    assert (home.folder / "elsewhere" / "ainews.sqlite3").exists()
    assert "ok  database" in home.run("doctor").stdout
    without = home.run("doctor", DATABASE_URL="postgres://host/name")
    assert without.stderr.splitlines()[-1] == (
        "DATABASE_URL names PostgreSQL, but psycopg is not installed. Install `ainews[server]`, or"
        " leave DATABASE_URL empty."
    )
    assert "Traceback" not in without.stderr
    relative = home.run("migrate", "-v0", DATA="here")
    assert relative.returncode == 0, relative.stderr
    assert (home.folder / "here" / "ainews.sqlite3").exists()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_sample_newsroom_runs_from_the_wheel(home: Home) -> None:
    port, newsroom = str(free_port()), str(free_port())
    command = [str(home.ainews), "demo", "--port", port, "--newsroom-port", newsroom]
    process = subprocess.Popen(
        command,
        cwd=home.folder,
        env=home.env | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    children: list[psutil.Process] = []
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Running."):
                break
        printed = "".join(lines)
        assert "Running." in printed, printed
        children = psutil.Process(process.pid).children(recursive=True)
        _read_stories(printed, port)
        assert f"DATA={home.data}/demo {home.ainews} COMMAND" in printed
    finally:
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=100)[0]
    assert process.returncode == 0, rest
    assert "Traceback" not in printed + rest
    assert len(children) > 3
    assert not [child for child in children if child.is_running()]
    assert (home.data / "demo" / "ainews.sqlite3").exists()
    assert not (home.data / "ainews.sqlite3").exists()


def _read_stories(printed: str, port: str) -> None:
    """Sign in by the printed link, and see stories, their style and their script."""
    [link] = re.findall(rf"http://127\.0\.0\.1:{port}/signin/\S+", printed)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", follow_redirects=True) as reader:
        page = reader.get(link)
        if "<form" in page.text and "csrfmiddlewaretoken" in page.text and "/signin/" in page.text:
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
            assert token
            page = reader.post(link, data={"csrfmiddlewaretoken": token[1]})
        page = reader.get("/")
        assert page.status_code == 200
        assert page.text.count('href="/story/') > 5
        styles = re.findall(r'href="(/static/[^"]+\.css)"', page.text)
        scripts = re.findall(r'src="(/static/[^"]+\.js)"', page.text)
        assert styles
        assert scripts
        for path in styles + scripts:
            answer = reader.get(path)
            assert answer.status_code == 200, path
            assert answer.text.strip()
