"""What install.sh and upgrade.sh say and write, without changing this machine."""

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from ainews_site.infra.invocation import manage_command
from tests.docs.blocks import ROOT
from tests.services import free_port

INSTALL, UPGRADE = "deploy/install.sh", "deploy/upgrade.sh"
is_installed = Path("/opt/ainews/app").exists()
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="the installer must run as root")


def bash(script: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-c", script, "test", *arguments], cwd=ROOT, capture_output=True, text=True
    )


def install(script: str) -> "subprocess.CompletedProcess[str]":
    """Run commands with the functions of the installer."""
    return bash(f"source {INSTALL}; {script}")


def error_of(done: "subprocess.CompletedProcess[str]") -> str:
    """Return the one sentence that says what is wrong."""
    assert done.returncode == 1, done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ") and line.endswith(".")
    return line


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shellcheck_finds_nothing() -> None:
    scripts = [str(file) for folder in ("deploy", "tests") for file in (ROOT / folder).glob("*.sh")]

    done = subprocess.run(
        ["shellcheck", "-x", "--severity=warning", *scripts],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert done.stdout == ""


@as_root
@pytest.mark.skipif(is_installed, reason="AI News is installed on this machine")
@pytest.mark.parametrize("options", ["", "--sqlite"])
def test_a_dry_run_says_each_step_and_changes_nothing(options: str) -> None:
    done = bash(f"{INSTALL} --host news.lan --dry-run {options}")

    if "is not supported" in done.stderr or "is taken by" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    first, *steps = done.stdout.splitlines()
    assert first.endswith("for https://news.lan. This only says what would be done:")
    assert all(step.startswith("  would      ") for step in steps)
    for words in (
        "Create the system account ainews",
        "checked by their hashes",
        "Create a certificate for news.lan",
        "Create the tables",
        "systemd units",
        "Write the site of Nginx for news.lan",
    ):
        assert words in done.stdout
    assert ("PostgreSQL" in done.stdout) is not bool(options)
    assert not Path("/opt/ainews").exists()
    assert not Path("/etc/ainews").exists()


def test_each_web_server_restarts_while_another_one_serves_its_port() -> None:
    stubs = 'systemctl() { echo "> $*"; }; check_health() { :; }; quietly() { "$@"; status=0; };'

    done = bash(f"source {UPGRADE}; {stubs} OLD=1; restart_all")

    commands = [line.partition("> ")[2] for line in done.stdout.splitlines() if "> " in line]
    assert commands == [
        "start ainews-pages-next.service",
        "restart ainews-pages.service",
        "stop ainews-pages-next.service",
        "start ainews-live-next.service",
        "restart ainews-live.service",
        "stop ainews-live-next.service",
        "restart ainews-worker@all.service",
    ]


@pytest.mark.parametrize("name", [INSTALL, UPGRADE])
def test_help_needs_no_root_and_lists_the_options(name: str) -> None:
    done = bash(f"{name} --help")

    assert done.returncode == 0
    listed = set(re.findall(r"--[a-z-]+", done.stdout))
    source = (ROOT / name).read_text()
    assert set(re.findall(r"^ +(--[a-z-]+)(?: \||\))", source, re.MULTILINE)) <= listed


@pytest.mark.skipif(not shutil.which("setpriv"), reason="setpriv is not installed")
@as_root
@pytest.mark.parametrize("name", [INSTALL, UPGRADE])
def test_who_is_not_root_learns_how_to_become_it(name: str) -> None:
    done = bash(f"HOST=news.lan setpriv --reuid=65534 --clear-groups bash {name}")

    assert "run it as root, for example with sudo" in error_of(done)


@as_root
@pytest.mark.skipif(is_installed, reason="AI News is installed on this machine")
def test_an_upgrade_needs_an_installation() -> None:
    assert "run that first" in error_of(bash(UPGRADE))


@pytest.mark.parametrize("name", [INSTALL, UPGRADE])
def test_an_unknown_option_is_named(name: str) -> None:
    assert "--fast is not an option; see --help." in error_of(bash(f"{name} --fast"))


@pytest.mark.parametrize(
    "host", ["https://news.lan", "news_1", "-news", "a..b", "news.lan:8443", "x" * 64, "ä.lan"]
)
def test_a_bad_host_name_is_refused(host: str) -> None:
    assert f"'{host}' is not a host name" in error_of(install(f"HOST='{host}'; check_host"))


@pytest.mark.parametrize("host", ["news", "news.example.org", "10.0.0.5", "a-b.c1"])
def test_a_good_host_name_is_accepted(host: str) -> None:
    assert install(f"HOST='{host}'; check_host").returncode == 0


def test_an_address_needs_no_line_in_etc_hosts() -> None:
    assert install("HOST=192.0.2.7; host_is_known").returncode == 0
    assert install("HOST=nobody.invalid; host_is_known").returncode != 0


@pytest.mark.parametrize("name", ["-q", "a b", "", "a;b"])
def test_a_bad_name_of_an_account_is_refused(name: str) -> None:
    assert f"'{name}' is not a name" in error_of(install(f"READER='{name}'; check_reader"))


def test_a_missing_host_name_is_asked_for() -> None:
    assert "--host news.example.org" in error_of(install("check_host"))


@pytest.mark.parametrize(
    ("system", "is_known"),
    [("debian 12", True), ("debian 13", True), ("ubuntu 24.04", True), ("ubuntu 22.04", False)],
)
def test_the_distribution_is_checked(tmp_path: Path, system: str, is_known: bool) -> None:
    name, version = system.split()
    (tmp_path / "os-release").write_text(f'ID={name}\nVERSION_ID="{version}"\n')

    done = install(f"OS_RELEASE={tmp_path}/os-release; check_distribution")

    if is_known:
        assert done.returncode == 0
    else:
        assert "ubuntu 22.04 is not supported: use Debian 12" in error_of(done)


def test_a_full_disk_is_named() -> None:
    assert "MB left, and AI News needs 99999999 MB" in error_of(
        install("NEEDED_MB=99999999; check_disk")
    )


@pytest.mark.skipif(not shutil.which("ss"), reason="ss is not installed")
def test_the_holder_of_a_port_is_named() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert install(f"holder {port}").stdout.strip().startswith("p")
    assert install(f"holder {port}").stdout == ""
    done = install("holder() { echo apache2; }; check_ports")
    assert error_of(done) == (
        "error: Port 80 is taken by apache2, and Nginx needs it: stop or move apache2."
    )


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority and a certificate that the installer made for news.lan."""
    folder = tmp_path_factory.mktemp("tls")
    done = install(
        f"TLS={folder} HOST=news.lan CERTIFICATE={folder}/site.crt KEY={folder}/site.key"
        f" SITE_LINK={folder}/none; set -e; create_authority; create_certificate; has_certificate"
    )
    assert done.returncode == 0, done.stderr
    return folder


def openssl(*arguments: str) -> str:
    return subprocess.run(
        ["openssl", *arguments], capture_output=True, text=True, check=True
    ).stdout


def test_the_certificate_is_that_of_the_authority_and_the_host(certificates: Path) -> None:
    ca, site = certificates / "ca.crt", certificates / "site.crt"

    assert openssl("verify", "-CAfile", str(ca), "-verify_hostname", "news.lan", str(site))
    assert "CA:FALSE" in openssl("x509", "-in", str(site), "-noout", "-text")
    for key in ("ca.key", "site.key"):
        assert (certificates / key).stat().st_mode & 0o077 == 0


def given(certificates: Path, certificate: str, key: str, host: str = "news.lan") -> str:
    return (
        f"own_certificate=no HOST={host} CERTIFICATE={certificates / certificate}"
        f" KEY={certificates / key}; check_certificate"
    )


@pytest.mark.parametrize(
    ("certificate", "key", "host", "says"),
    [
        ("gone.crt", "site.key", "news.lan", "does not exist or cannot be read"),
        ("site.crt", "ca.key", "news.lan", "is not the private key of"),
        ("site.key", "site.key", "news.lan", "is not a certificate in PEM"),
        ("site.crt", "site.key", "other.lan", "is not for other.lan"),
    ],
)
def test_a_certificate_that_does_not_fit_is_refused(
    certificates: Path, certificate: str, key: str, host: str, says: str
) -> None:
    assert says in error_of(install(given(certificates, certificate, key, host)))


@pytest.mark.parametrize("host", ["s.lan", "news.la", "ews.lan"])
def test_a_certificate_of_a_similar_host_is_replaced(certificates: Path, host: str) -> None:
    places = f"CERTIFICATE={certificates}/site.crt KEY={certificates}/site.key"

    assert install(f"HOST=news.lan {places}; has_certificate").returncode == 0
    assert install(f"HOST={host} {places}; has_certificate").returncode != 0


def test_a_certificate_of_an_address_is_accepted(tmp_path: Path) -> None:
    places = f"TLS={tmp_path} CERTIFICATE={tmp_path}/site.crt KEY={tmp_path}/site.key"
    made = f"{places} HOST=192.0.2.7 SITE_LINK={tmp_path}/none"
    done = install(f"{made}; set -e; create_authority; create_certificate")
    assert done.returncode == 0, done.stderr

    assert install(given(tmp_path, "site.crt", "site.key", "192.0.2.7")).returncode == 0
    assert "is not for 192.0.2.70" in error_of(
        install(given(tmp_path, "site.crt", "site.key", "192.0.2.70"))
    )


def test_a_certificate_that_fits_is_accepted(certificates: Path) -> None:
    assert install(given(certificates, "site.crt", "site.key")).returncode == 0


@pytest.mark.skipif(
    not (shutil.which("nginx") or Path("/usr/sbin/nginx").exists()), reason="needs nginx"
)
def test_nginx_accepts_the_site_that_the_installer_writes(
    certificates: Path, tmp_path: Path
) -> None:
    done = install(
        f"HOST=news.lan CERTIFICATE={certificates}/site.crt KEY={certificates}/site.key;"
        " site_text ."
    )
    site = done.stdout
    assert "server_name news.lan;" in site and "news.example" not in site
    assert site.count(f"{certificates}/site.") == 2
    site = site.replace("/opt/ainews/app/deploy", str(ROOT / "deploy"))
    site = site.replace("/var/lib/nginx/", f"{tmp_path}/")
    places = "".join(
        f"{name}_temp_path {tmp_path}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"pid {tmp_path}/pid; error_log stderr;\nevents {{}}\nhttp {{ {places}\n{site} }}\n"
    )
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    checked = subprocess.run(
        [nginx, "-t", "-e", "stderr", "-c", str(config)], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr


def test_the_settings_of_an_installation_exist() -> None:
    from ainews_site.settings import env

    text = install("HOST=news.lan; settings_text").stdout

    names = re.findall(r"^([A-Z_]+)=", text, re.MULTILINE)
    assert "SITE_URL=https://news.lan" in text
    assert "REDIS_URL" in names
    assert set(names) <= set(env.scheme)
    assert "REDIS_URL" not in install("HOST=news.lan DATABASE=sqlite; settings_text").stdout


def test_the_settings_name_the_own_certificate_alone(tmp_path: Path) -> None:
    settings = tmp_path / "ainews.env"
    settings.write_text("PORT=8000\n")
    own = f"SETTINGS={settings} CERTIFICATE=/etc/ainews/tls/site.crt"

    assert install(f"{own}; name_certificate; names_certificate").returncode == 0
    assert settings.read_text() == "PORT=8000\nTLS_CERTIFICATE=/etc/ainews/tls/site.crt\n"
    given = f"SETTINGS={settings} CERTIFICATE=/tmp/a.crt own_certificate=no"
    assert install(f"{given}; name_certificate; names_certificate").returncode == 0
    assert settings.read_text() == "PORT=8000\n"


def test_the_name_of_a_release_follows_its_files(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    (tmp_path / "var").mkdir()

    def name() -> str:
        return bash(f"source deploy/lib.sh; release_name {tmp_path}").stdout.strip()

    first = name()
    assert re.fullmatch(r"1\.2\.3-[0-9a-f]{12}", first)
    (tmp_path / "var" / "data").write_text("is no part of a release")
    (tmp_path / ".env").write_text("SECRET_KEY=x")
    assert name() == first
    (tmp_path / "page.html").write_text("<p>")
    assert name() != first


def test_a_failing_step_is_noticed_within_a_function() -> None:
    script = "source deploy/lib.sh; two() { false; echo reached; }; quietly two; echo $status"

    assert bash(script).stdout == "1\n"


@pytest.mark.parametrize("signal", ["HUP", "INT", "TERM"])
def test_a_switch_ends_also_if_the_terminal_is_closed(signal: str) -> None:
    done = bash(
        f"source {UPGRADE}; use() {{ kill -{signal} $$; }}; restart_pages() {{ exec >&-; }};"
        " restart_live() { :; }; restart_worker() { :; }; check_health() { :; };"
        " exec 3>&1 >&-; switch_to new; echo $status >&3"
    )

    assert (done.returncode, done.stdout) == (0, "0\n")


@pytest.mark.skipif(not shutil.which("logrotate"), reason="logrotate is not installed")
def test_logrotate_accepts_its_file() -> None:
    done = subprocess.run(
        ["logrotate", "--debug", "deploy/logrotate.conf"], cwd=ROOT, capture_output=True, text=True
    )

    assert "error" not in done.stderr
    assert "/var/log/ainews/*.log" in done.stderr


def test_messages_recommend_the_command_of_the_installation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AINEWS_MANAGE", "sudo ainews-manage")

    assert manage_command() == "sudo ainews-manage"
    assert 'AINEWS_MANAGE="sudo ainews-manage"' in install("manage_text").stdout


def test_requirements_are_installed_beside_the_packages(tmp_path: Path) -> None:
    ready = "mkdir -p $RELEASES/new; touch $RELEASES/new/.complete"
    script = (
        f"set -e; LOGS={tmp_path} RELEASES={tmp_path} RELEASE=new;"
        f' build_release() {{ echo "pip says"; sleep 0.3; {ready}; }};'
        " begin_release; ! release_is_built; finish_release; release_is_built"
    )

    done = install(script)

    assert (done.returncode, done.stdout) == (0, "pip says\n"), done.stderr


def test_a_failure_ends_what_was_begun_beside_it(tmp_path: Path) -> None:
    script = (
        f"LOGS={tmp_path} RELEASES={tmp_path} RELEASE=new;"
        f" build_release() {{ sleep 60 & echo $! >{tmp_path}/pid; wait; }};"
        f" begin_release; until [ -s {tmp_path}/pid ]; do sleep 0.05; done; die apt."
    )

    assert error_of(install(script)) == "error: apt."

    state = Path("/proc", (tmp_path / "pid").read_text().strip(), "stat")
    until = time.monotonic() + 5
    while state.exists() and " Z " not in state.read_text():
        assert time.monotonic() < until
        time.sleep(0.05)
