"""`make release` checks what must be right, and makes the same files each time."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.prepared import ROOT
from tests.release.__main__ import TESTED


class Checkout:
    """A repository of its own with the files of this one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for name in listed.stdout.splitlines():
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        self.git("init", "-q")

    def git(self, *arguments: str) -> str:
        who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        done = subprocess.run(
            ["git", *who, *arguments], cwd=self.folder, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def replace(self, name: str, pattern: str, text: str) -> None:
        file = self.folder / name
        file.write_text(re.sub(pattern, text, file.read_text(), count=1, flags=re.MULTILINE))

    def commit(self, *, is_tested: bool = True) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", "Release")
        if is_tested:
            (self.folder / ".git" / TESTED).write_text(self.git("rev-parse", "HEAD"))

    def release(self, **variables: str) -> "subprocess.CompletedProcess[str]":
        names = {"GIT_AUTHOR_NAME": "A", "GIT_COMMITTER_NAME": "A", "EMAIL": "a@example.org"}
        return subprocess.run(
            [sys.executable, "-m", "tests.release"],
            cwd=self.folder,
            env=os.environ | names | variables,
            capture_output=True,
            text=True,
        )

    def refusal(self) -> str:
        done = self.release()
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        return done.stderr.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_a_release_is_refused_until_all_is_right(checkout: Checkout) -> None:
    checkout.replace("pyproject.toml", r'^version = ".*"', 'version = "7.0.0.dev0"')
    assert "7.0.0.dev0 in pyproject.toml is not like 0.2.0" in checkout.refusal()
    checkout.replace("pyproject.toml", r'^version = ".*"', 'version = "7.0.0"')
    assert 'CHANGELOG.md has no line "## [7.0.0] - YYYY-MM-DD"' in checkout.refusal()
    checkout.replace("CHANGELOG.md", r"^## \[Unreleased\]$", "## [7.0.0] - 2026-12-24")
    checkout.commit(is_tested=False)
    assert "the tests have not passed on this commit" in checkout.refusal()
    (checkout.folder / "new").touch()
    assert "?? new is not committed" in checkout.refusal()
    checkout.git("tag", "v7.0.0")
    assert "v7.0.0 is tagged already" in checkout.refusal()


@pytest.mark.slow
def test_a_release_has_packages_a_list_and_checksums(checkout: Checkout) -> None:
    checkout.replace("pyproject.toml", r'^version = ".*"', 'version = "7.0.0"')
    checkout.replace("CHANGELOG.md", r"^## \[Unreleased\]$", "## [7.0.0] - 2026-12-24")
    checkout.commit()
    dry = checkout.release()
    assert dry.returncode == 0, dry.stderr
    assert "A dry run: nothing is tagged." in dry.stdout
    assert checkout.git("tag", "--list") == ""
    dist = checkout.folder / "dist"
    names = {
        "ainews-7.0.0-py3-none-any.whl",
        "ainews-7.0.0.tar.gz",
        "ainews-7.0.0.cdx.json",
        "SHA256SUMS",
    }
    assert {file.name for file in dist.iterdir()} == names
    sums = dict(line.split("  ")[::-1] for line in (dist / "SHA256SUMS").read_text().splitlines())
    assert {*sums, "SHA256SUMS"} == names
    for name, digest in sums.items():
        assert hashlib.sha256((dist / name).read_bytes()).hexdigest() == digest
    _check_list(json.loads((dist / "ainews-7.0.0.cdx.json").read_text()))
    published = checkout.release(PUBLISH="1")
    assert published.returncode == 0, published.stderr
    assert checkout.git("tag", "--list") == "v7.0.0"
    assert (
        dict(line.split("  ")[::-1] for line in (dist / "SHA256SUMS").read_text().splitlines())
        == sums
    )
    with zipfile.ZipFile(dist / "ainews-7.0.0-py3-none-any.whl") as wheel:
        assert not wheel.testzip()


def _check_list(sbom: dict) -> None:  # type: ignore[type-arg]
    assert sbom["bomFormat"] == "CycloneDX"
    assert sbom["metadata"]["component"]["name"] == "ainews"
    django = next(part for part in sbom["components"] if part["name"] == "django")
    assert django["version"].startswith("5.2")
    assert any(reference.get("hashes") for reference in django["externalReferences"])


def test_the_tests_record_the_commit_that_passed() -> None:
    script = (ROOT / "tests" / "run.sh").read_text()
    assert f'git rev-parse HEAD >"$(git rev-parse --git-dir)/{TESTED}"' in script
