"""systemd accepts the units of deploy/, and rates each as well protected."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT

DEPLOY = ROOT / "deploy"
UNITS = sorted(file for kind in ("service", "socket", "timer") for file in DEPLOY.glob(f"*.{kind}"))
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
NEXT = {"pages": "AI News pages", "live": "AI News live updates"}
"""The services of which a second process serves while they restart."""
LARGEST_EXPOSURE = "20"
"""In tenths: systemd calls up to 4.9 "OK", and 9.6 what has no protection."""

pytestmark = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed"
)


def analyze(*arguments: str) -> str:
    done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units as they are installed, with programs that exist on this machine."""
    folder = tmp_path_factory.mktemp("units")
    texts = {unit.name.replace("@.", "@all."): unit.read_text() for unit in UNITS}
    for name in NEXT:
        script = f"source deploy/lib.sh; unit_text . ainews-{name}-next.service"
        done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, check=True)
        texts[f"ainews-{name}-next.service"] = done.stdout.decode()
    for name, text in texts.items():
        text = re.sub(r"/opt/ainews/app/\.venv/bin/\w+", "/bin/true", text)
        (folder / name).write_text(text.replace("/usr/bin/make", "/bin/true"))
    return folder


def test_systemd_accepts_all_units(folder: Path) -> None:
    files = [str(file) for file in sorted(folder.iterdir())]

    assert analyze("verify", "--man=no", "--generators=no", *files) == ""


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_service_is_protected(unit: Path, folder: Path) -> None:
    file = folder / unit.name.replace("@.", "@all.")

    analyze("security", "--offline=true", f"--threshold={LARGEST_EXPOSURE}", str(file))


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_service_has_limits(unit: Path) -> None:
    text = unit.read_text()

    for name in ("MemoryMax", "TasksMax", "SystemCallFilter", "ProtectSystem=strict", "User"):
        assert name in text, name


def test_a_service_without_protection_is_found(tmp_path: Path) -> None:
    (tmp_path / "bare.service").write_text("[Service]\nExecStart=/bin/true\n")

    with pytest.raises(AssertionError):
        analyze("security", "--offline=true", "--threshold=20", str(tmp_path / "bare.service"))


@pytest.mark.parametrize(("name", "description"), NEXT.items())
def test_the_unit_of_the_switch_differs_from_the_service_by_little(
    name: str, description: str, folder: Path
) -> None:
    service = (folder / f"ainews-{name}.service").read_text().splitlines()
    beside = (folder / f"ainews-{name}-next.service").read_text().splitlines()

    assert set(beside) - set(service) == {
        f"Description={description}, while ainews-{name} restarts",
        "Restart=no",
    }
    assert "[Install]" not in beside
    assert f"Sockets=ainews-{name}.socket" in beside
    assert f"Service=ainews-{name}.service" in (DEPLOY / f"ainews-{name}.socket").read_text()
