"""Makes a release: `make release`, and `make release PUBLISH=1` to tag it as well.

Everything is written to `dist/`: the wheel, the source distribution, a list of all packages
(an SBOM by CycloneDX) and SHA-256 checksums. Nothing leaves this machine.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DIST = ROOT / "dist"
TESTED = "ainews-tested"
"""The file below .git in which tests/run.sh writes the commit whose tests passed."""


class ReleaseError(Exception):
    """A sentence on why there can be no release now, and what to do."""


def main() -> None:
    is_published = bool(os.environ.get("PUBLISH"))
    try:
        version = read_version()
        check_version(version)
        check_changelog(version)
        check_tree()
        check_tests()
        files = build(version)
    except ReleaseError as error:
        raise SystemExit(f"No release: {error}") from None
    for file in files:
        print(f"{file.relative_to(ROOT)}: {file.stat().st_size:,} bytes")
    if is_published:
        run("git", "tag", "--annotate", f"v{version}", "--message", f"AI News {version}")
        print(f"Tagged v{version}. Now run: git push origin v{version}; twine upload dist/ainews-*")
    else:
        print(f"A dry run: nothing is tagged. To tag v{version}: make release PUBLISH=1")


def run(*command: str, folder: Path = ROOT) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise ReleaseError(f"`{' '.join(command)}` failed: {' '.join(last)}")
    return done.stdout.strip()


def read_version() -> str:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def check_version(version: str) -> None:
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise ReleaseError(f"{version} in pyproject.toml is not like 0.2.0; set the version.")
    if run("git", "tag", "--list", f"v{version}"):
        raise ReleaseError(f"v{version} is tagged already; set the next version in pyproject.toml.")


def check_changelog(version: str) -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", text, re.MULTILINE):
        raise ReleaseError(
            f'CHANGELOG.md has no line "## [{version}] - YYYY-MM-DD"; move what is below'
            " Unreleased there."
        )


def check_tree() -> None:
    if changed := run("git", "status", "--porcelain"):
        raise ReleaseError(f"{changed.splitlines()[0].strip()} is not committed; commit first.")


def check_tests() -> None:
    file = ROOT / run("git", "rev-parse", "--git-dir") / TESTED
    if not file.exists() or file.read_text().strip() != run("git", "rev-parse", "HEAD"):
        raise ReleaseError("the tests have not passed on this commit; run make test-full.")


def build(version: str) -> list[Path]:
    """Build everything into DIST. A second build must give the same bytes."""
    shutil.rmtree(DIST, ignore_errors=True)
    build_packages(DIST)
    with tempfile.TemporaryDirectory() as folder:
        build_packages(Path(folder))
        for file in DIST.iterdir():
            if file.read_bytes() != (Path(folder) / file.name).read_bytes():
                raise ReleaseError(f"two builds of {file.name} differ; find out why.")
    write_sbom(DIST / f"ainews-{version}.cdx.json")
    files = sorted(DIST.iterdir())
    sums = DIST / "SHA256SUMS"
    sums.write_text("".join(f"{sha256(file)}  {file.name}\n" for file in files))
    return [*files, sums]


def build_packages(folder: Path) -> None:
    build_with = ["--no-isolation", "--sdist", "--wheel", "--outdir", str(folder), str(ROOT)]
    run(sys.executable, "-m", "build", *build_with)


def write_sbom(file: Path) -> None:
    """List the packages that servers install, with the hashes that the requirements lock."""
    command = [sys.executable, "-m", "cyclonedx_py", "requirements", "--output-reproducible"]
    described = ["--pyproject", "pyproject.toml", "--output-file", str(file)]
    run(*command, *described, "requirements/server.txt")


def sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


if __name__ == "__main__":
    main()
