"""A certificate authority and a certificate for 127.0.0.1, for tests of services with TLS."""

import atexit
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.prepared import prepared


class Certificates(NamedTuple):
    authority: Path
    certificate: Path
    key: Path


@cache
def certificates() -> Certificates:
    """Return the files, which all tests of a run share. All users of this machine can read them."""
    source = prepared("certificates", _make)
    # The folder of a run is private, but servers run as other users.
    folder = Path(tempfile.mkdtemp(prefix="ainews-certificates-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copytree(source, folder, dirs_exist_ok=True)
    folder.chmod(0o755)
    return _files(folder)


def _files(folder: Path) -> Certificates:
    return Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")


def _make(folder: Path) -> None:
    authority, certificate, key = _files(folder)
    ca_key, request, extensions = folder / "ca.key", folder / "request", folder / "extensions"
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    _openssl(
        *("req", "-x509", *new_key, "-days", "2", "-subj", "/CN=Test authority"),
        *("-keyout", str(ca_key), "-out", str(authority)),
    )
    _openssl(
        *("req", *new_key, "-subj", "/CN=127.0.0.1", "-keyout", str(key), "-out", str(request)),
    )
    extensions.write_text("subjectAltName=IP:127.0.0.1\n")
    _openssl(
        *("x509", "-req", "-in", str(request), "-days", "2", "-CA", str(authority)),
        *("-CAkey", str(ca_key), "-CAcreateserial", "-extfile", str(extensions)),
        *("-out", str(certificate)),
    )
    key.chmod(0o644)


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
