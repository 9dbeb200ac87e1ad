"""The wheel, and a virtual environment in which it is installed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.prepared import ROOT, prepared


def build(folder: Path, kind: str) -> None:
    """Build the wheel or the sdist with the hatchling of the development requirements."""
    command = [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "-o", str(folder)]
    done = subprocess.run([*command, str(ROOT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def wheel() -> Path:
    [file] = prepared("wheel", lambda folder: build(folder, "wheel")).glob("*.whl")
    return file


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the `ainews` command of a fresh environment with the wheel and what it asks for."""
    if shutil.which("uv") is None:
        pytest.skip("installing the wheel with what it asks for needs uv and its cache")
    venv = tmp_path_factory.mktemp("installed") / "venv"
    install = ["uv", "pip", "install", "-q", "--python", str(venv / "bin" / "python"), str(wheel)]
    for command in (["uv", "venv", "-q", "--python", sys.executable, str(venv)], install):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return venv / "bin" / "ainews"
