"""A real Postfix on a free port, which delivers to folders and never to another host."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.services import free_port, is_open

DOMAIN = "readers.example"
MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
mynetworks = 127.0.0.0/8
# Whatever is for another domain fails here, and no name is looked up.
default_transport = error: this server delivers to {domain} only
disable_dns_lookups = yes
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {folder}/boxes
virtual_mailbox_maps = texthash:{folder}/readers
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
smtpd_recipient_restrictions = reject_unauth_destination
smtpd_tls_security_level = may
smtpd_tls_chain_files = {folder}/certificate.pem
smtputf8_enable = no
"""
MASTER = """\
{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
PATIENCE = 30.0


@dataclass(frozen=True)
class Postfix:
    port: int
    folder: Path

    def letters(self, name: str, count: int = 1) -> list[bytes]:
        """Wait for that many e-mails in a mailbox, as Postfix delivers after it has answered."""
        box, until = self.folder / "boxes" / name / "new", time.monotonic() + PATIENCE
        while len(files := list(box.glob("*"))) < count and time.monotonic() < until:
            time.sleep(0.05)
        return [file.read_bytes() for file in files]

    def log(self) -> str:
        return (self.folder / "mail.log").read_text()


@contextmanager
def postfix(*names: str) -> Iterator[Postfix]:
    """Start a Postfix that has a mailbox for each of the names in DOMAIN."""
    if os.geteuid() or not shutil.which("postfix"):
        pytest.skip("Postfix is not installed, or may not be started by this user")
    folder, port = Path(tempfile.mkdtemp(prefix="ainews-postfix-")), free_port()
    try:
        _configure(folder, port, names)
        command = ["postfix", "-c", str(folder)]
        subprocess.run([*command, "start"], check=True, capture_output=True)
        try:
            until = time.monotonic() + PATIENCE
            while not is_open(port) and time.monotonic() < until:
                time.sleep(0.05)
            yield Postfix(port, folder)
        finally:
            subprocess.run([*command, "abort"], check=True, capture_output=True)
    finally:
        shutil.rmtree(folder)


def _configure(folder: Path, port: int, names: Sequence[str]) -> None:
    folder.chmod(0o755)
    for owned in ("data", "boxes"):
        (folder / owned).mkdir()
        shutil.chown(folder / owned, "postfix")
    (folder / "queue").mkdir()
    user = pwd.getpwnam("postfix")
    values = {"folder": folder, "domain": DOMAIN, "uid": user.pw_uid, "gid": user.pw_gid}
    (folder / "main.cf").write_text(MAIN.format_map(values))
    (folder / "master.cf").write_text(MASTER.format(port=port))
    (folder / "readers").write_text("".join(f"{name}@{DOMAIN} {name}/\n" for name in names))
    certificate = folder / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", folder / "key.pem", "-out", folder / "public.pem"),
        ],
        check=True,
        capture_output=True,
    )
    certificate.write_text((folder / "key.pem").read_text() + (folder / "public.pem").read_text())
    certificate.chmod(0o600)
