"""A bare Debian in a folder, booted by systemd-nspawn with a network of its own.

The network has loopback only. The hosts that apt and pip download from are addresses of that
loopback: what is sent there is forwarded, and nothing else leaves the machine.
"""

import configparser
import ctypes
import os
import re
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
SUITES = {"bookworm": "debian-12", "trixie": "debian-13"}
"""Releases of Debian, and the folders below `var` of the bare systems, which are created once."""
MIRROR = "http://deb.debian.org/debian"
PACKAGES = "systemd,systemd-sysv,dbus,ca-certificates"
REGISTRIES = {"pypi.org", "files.pythonhosted.org"}
PORTS = (80, 443)
CLONE_NEWNET = 0x40000000
GATEWAY = "10.255.77.2"
CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
BOOT_SECONDS = 60.0
NEEDED = ("debootstrap", "systemd-nspawn", "nsenter", "ip")


def missing_programs() -> list[str]:
    return [name for name in NEEDED if shutil.which(name) is None]


def bare_tree(suite: str) -> Path:
    """Return the folder of a bare Debian."""
    tree = ROOT / "var" / SUITES[suite]
    if not (tree / "etc" / "os-release").exists():
        new = tree.with_name(f"{tree.name}.{os.getpid()}")
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite]
        subprocess.run([*command, str(new), MIRROR], check=True, capture_output=True)
        new.replace(tree)
    return tree


class Machine:
    """A copy of the bare system. `with` boots it and leaves nothing behind."""

    def __init__(self, suite: str = "bookworm") -> None:
        self.suite = suite
        self.name = f"ainews-{secrets.token_hex(4)}"
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir="/var/tmp"))
        self.tree = self.folder / "tree"
        self.leader = 0
        self.installed = ""
        """What the installer said."""

    def __enter__(self) -> "Machine":
        self._stack = ExitStack()
        self._stack.callback(subprocess.run, ["rm", "-rf", str(self.folder)])
        try:
            subprocess.run(["cp", "-a", str(bare_tree(self.suite)), str(self.tree)], check=True)
            self._configure()
            self._stack.enter_context(network(self.name, self._hosts()))
            self._boot()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _configure(self) -> None:
        """Give apt and pip the configuration of this machine."""
        for name in ("apt/sources.list.d/debian.sources", "apt/sources.list", "pip.conf"):
            if (file := Path("/etc", name)).exists():
                (self.tree / "etc" / name).parent.mkdir(parents=True, exist_ok=True)
                text = re.sub("|".join(SUITES), self.suite, file.read_text())
                (self.tree / "etc" / name).write_text(text)
        if Path("/etc/apt/sources.list.d/debian.sources").exists():
            (self.tree / "etc/apt/sources.list").write_text("")
        for file in Path("/etc/apt/apt.conf.d").glob("*"):
            if "Check-Valid-Until" in file.read_text(errors="replace"):
                shutil.copy(file, self.tree / "etc/apt/apt.conf.d" / file.name)
        user = Path.home() / ".config/pip/pip.conf"
        if user.exists():
            target = self.tree / "root/.config/pip/pip.conf"
            target.parent.mkdir(parents=True)
            shutil.copy(user, target)
        self._trust_authorities()
        (self.tree / "etc/hostname").write_text("news\n")

    def _trust_authorities(self) -> None:
        """Let the machine trust all that this one trusts, also after update-ca-certificates."""
        ours = Path("/etc/ssl/certs/ca-certificates.crt").read_text()
        bundle = self.tree / "etc/ssl/certs/ca-certificates.crt"
        known = set(CERTIFICATE.findall(bundle.read_text()))
        folder = self.tree / "usr/local/share/ca-certificates"
        folder.mkdir(parents=True, exist_ok=True)
        for number, more in enumerate(set(CERTIFICATE.findall(ours)) - known):
            (folder / f"of-the-test-{number}.crt").write_text(f"{more}\n")
        bundle.write_text(ours)

    def _hosts(self) -> dict[str, list[str]]:
        """Return the addresses of the hosts that apt and pip use, and write /etc/hosts."""
        text = (
            "".join(
                file.read_text() for file in (self.tree / "etc/apt").glob("sources.list*/*.sources")
            )
            + (self.tree / "etc/apt/sources.list").read_text()
        )
        names = {
            urlsplit(url).hostname or "" for url in re.findall(r"^[^#\n]*?(http\S+)", text, re.M)
        }
        hosts: dict[str, list[str]] = {}
        for name in sorted(names | REGISTRIES):
            if found := _addresses(name):
                hosts[name] = found
        if not hosts:
            pytest.skip("the hosts that apt and pip download from are unknown here")
        lines = [f"{address} {name}" for name, several in hosts.items() for address in several]
        (self.tree / "etc/hosts").write_text("\n".join(["127.0.0.1 localhost news", *lines, ""]))
        return hosts

    def _binds(self) -> list[str]:
        """Return the folders of packages that pip's configuration names."""
        places: set[str] = set()
        for file in (self.tree / "etc/pip.conf", self.tree / "root/.config/pip/pip.conf"):
            parser = configparser.ConfigParser()
            parser.read(file)
            for section in parser.values():
                for value in section.values():
                    places |= set(re.findall(r"(?:file://)?(/opt/[^/\s]+)", value))
        return [f"--bind-ro={place}" for place in sorted(places) if Path(place).exists()]

    def _boot(self) -> None:
        log = (self.folder / "boot.log").open("wb")
        self._stack.callback(log.close)
        process = subprocess.Popen(
            [
                *("systemd-nspawn", "--boot", f"--directory={self.tree}", "--register=no"),
                *("--keep-unit", f"--machine={self.name}", "--console=pipe", "--resolv-conf=off"),
                *("--timezone=off", f"--network-namespace-path=/run/netns/{self.name}"),
                *self._binds(),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self._stack.callback(self._power_off, process)
        until = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < until and process.poll() is None:
            self.leader = self.leader or _child_of(process.pid)
            if self.leader and self._is_up():
                return
            time.sleep(0.2)
        pytest.skip(f"systemd does not boot in a container here: {self.boot_log()[-500:]}")

    def _is_up(self) -> bool:
        state = self.run("systemctl is-system-running", check=False).stdout.strip()
        return state in ("running", "degraded")

    def boot_log(self) -> str:
        return (self.folder / "boot.log").read_text(errors="replace")

    def _power_off(self, process: "subprocess.Popen[bytes]") -> None:
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                os.kill(process.pid, number)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(20)
        if self.leader and Path(f"/proc/{self.leader}").exists():
            with suppress(ProcessLookupError):
                os.kill(self.leader, signal.SIGKILL)
        shutil.rmtree(f"/run/systemd/nspawn/propagate/{self.name}", ignore_errors=True)

    def run(
        self, script: str, check: bool = True, timeout: float = 900
    ) -> "subprocess.CompletedProcess[str]":
        """Run a shell script in the machine as root."""
        done = subprocess.run(
            [
                *("nsenter", f"--target={self.leader}", "--all"),
                *("env", "-i", "HOME=/root", "LANG=C.UTF-8"),
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                *("bash", "-c", f"cd /root; {script}"),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    def copy_checkout(self, name: str) -> Path:
        """Copy the files of this checkout that git knows into the machine's /root/NAME."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        target = self.tree / "root" / name
        target.mkdir()
        names = [
            one for one in listed.stdout.split(b"\0") if one and (ROOT / one.decode()).exists()
        ]
        subprocess.run(
            ["cp", "-a", "--parents", f"--target-directory={target}", *names], cwd=ROOT, check=True
        )
        subprocess.run(["chown", "-R", "root:root", str(target)], check=True)
        return target

    def inside(self, *command: str) -> list[str]:
        """Return `command` of this machine's files in the network of the other."""
        return ["ip", "netns", "exec", self.name, *command]


def _addresses(name: str) -> list[str]:
    """Return the addresses of a host. In a test, Python itself resolves no names."""
    done = subprocess.run(["getent", "ahostsv4", name], capture_output=True, text=True)
    return sorted({line.split()[0] for line in done.stdout.splitlines()})


def _child_of(pid: int) -> int:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in map(int, children):
            if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                return child
    except OSError:
        pass
    return 0


@contextmanager
def network(name: str, hosts: dict[str, list[str]]) -> Iterator[None]:
    """Create a network namespace from which these hosts can be reached, and no others.

    They are addresses of a second namespace, where a process forwards what is sent there.
    """
    addresses = sorted({address for several in hosts.values() for address in several})
    outside = f"{name}-out"
    link, other = f"in{name[-8:]}", f"out{name[-8:]}"
    with ExitStack() as stack:
        for namespace in (name, outside):
            _ip("netns", "add", namespace)
            stack.callback(_ip, "netns", "delete", namespace)
        _ip("-n", name, "link", "add", link, "type", "veth", "peer", other, "netns", outside)
        for namespace, end, address in ((name, link, "10.255.77.1"), (outside, other, GATEWAY)):
            _ip("-n", namespace, "link", "set", "lo", "up")
            _ip("-n", namespace, "address", "add", f"{address}/30", "dev", end)
            _ip("-n", namespace, "link", "set", end, "up")
        for address in addresses:
            _ip("-n", outside, "address", "add", f"{address}/32", "dev", "lo")
            _ip("-n", name, "route", "add", address, "via", GATEWAY)
        code = "from tests.deploy.machine import forward; import sys; forward(*sys.argv[1:])"
        forwarder = subprocess.Popen([sys.executable, "-c", code, outside, *addresses], cwd=ROOT)
        stack.callback(forwarder.wait)
        stack.callback(forwarder.terminate)
        yield


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def forward(name: str, *addresses: str) -> None:
    """Listen at these addresses of a network namespace, and connect to the same ones outside."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/self/ns/net").open() as ours, Path("/run/netns", name).open() as theirs:
        assert libc.setns(theirs.fileno(), CLONE_NEWNET) == 0
        servers = [socket.create_server((one, port)) for one in addresses for port in PORTS]
        assert libc.setns(ours.fileno(), CLONE_NEWNET) == 0
    while True:
        for server in select.select(servers, [], [])[0]:
            client, address = server.accept()[0], server.getsockname()
            threading.Thread(target=_relay, args=(client, address), daemon=True).start()


def _relay(client: socket.socket, address: tuple[str, int]) -> None:
    try:
        with client, socket.create_connection(address, timeout=30) as server:
            server.settimeout(None)
            other = {client: server, server: client}
            while True:
                for source in select.select([client, server], [], [])[0]:
                    if not (data := source.recv(65536)):
                        return
                    other[source].sendall(data)
    except OSError:
        return
