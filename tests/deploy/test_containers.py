"""`deploy/Containerfile`, `deploy/healthcheck.py` and `deploy/compose.yml`."""

import os
import re
import shutil
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.manifests import check_command, unknown_settings
from tests.feeds.ingest.server import reply, serve
from tests.workers import ROOT

CONTAINERFILE = (ROOT / "deploy/Containerfile").read_text()
BINARIES = Path(sys.executable).parent
OURS = ("migrate", "pages", "live", "fast", "slow")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """Return compose.yml as podman-compose reads it."""
    command = [BINARIES / "podman-compose", "-f", "deploy/compose.yml", "config"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    config: dict[str, Any] = yaml.safe_load(done.stdout)
    return config


def test_hadolint_has_nothing_to_say_about_the_containerfile() -> None:
    command = [BINARIES / "hadolint", "deploy/Containerfile"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_as_nobody_special_and_installs_by_hash() -> None:
    stages = re.findall(r"^FROM .* AS (\w+)$", CONTAINERFILE, re.MULTILINE)
    assert stages == ["build", "common", "backup", "app"]
    app = CONTAINERFILE.partition(" AS app\n")[2]
    assert "USER 10001:10001" in app
    assert "HEALTHCHECK" in app
    assert "--require-hashes" in CONTAINERFILE
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert f"python:{version}-slim" in CONTAINERFILE


def test_the_image_has_what_runs_and_nothing_else() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert all((ROOT / name).exists() for name in allowed)
    packages = {"accounts", "ainews_site", "digests", "feeds"}
    assert packages | {"manage.py", "static", "templates"} <= allowed
    assert not allowed & {".env", "var", "tests", ".git"}


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_is_that_of_the_web_server(status: int, code: int) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        reply(status, b"{}")(handler)

    with serve({"/health": answer}) as server:
        port = server.url.rpartition(":")[2]
        done = run_health_check(port)
    assert done.returncode == code
    assert run_health_check("1").returncode == 1


def run_health_check(port: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "deploy/healthcheck.py"]
    return subprocess.run(command, cwd=ROOT, env=os.environ | {"PORT": port}, capture_output=True)


def test_compose_has_the_services_of_stage_3(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"postgres", "redis", "nginx", *OURS}
    for name, service in compose["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service["mem_limit"], name
        assert service["cpus"], name
        assert service["restart"] == ("no" if name == "migrate" else "unless-stopped"), name
        assert service["healthcheck"], name
        assert set(service["networks"]) <= set(compose["networks"]), name
        assert set(service.get("secrets", [])) <= set(compose["secrets"]), name
        for other in service.get("depends_on", {}):
            assert other in compose["services"], name


def test_commands_and_settings_of_compose_exist(compose: dict[str, Any]) -> None:
    for name in OURS:
        service = compose["services"][name]
        check_command(service["command"])
        assert unknown_settings(list(service["environment"])) == []
        for key, value in service["environment"].items():
            if key.endswith("_FILE"):
                assert value.removeprefix("/run/secrets/") in service["secrets"]


def test_nginx_shares_one_network_with_the_pages_which_they_trust(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name in ("pages", "live"):
        assert set(services["nginx"]["networks"]) & set(services[name]["networks"]) == {"inside"}
    subnet = compose["networks"]["inside"]["ipam"]["config"][0]["subnet"]
    assert services["pages"]["environment"]["TRUSTED_PROXIES"] == subnet
    assert set(services["postgres"]["networks"]) == {"inside"}
    assert compose["networks"]["inside"]["internal"] is True


@pytest.mark.skipif(not shutil.which("nginx", path="/usr/sbin:/usr/bin"), reason="needs Nginx")
def test_nginx_accepts_its_configuration_in_a_container(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    """The names of the containers and the paths are those of this machine here."""
    script = compose["services"]["nginx"]["command"][2].replace("$$", "$")
    edit = script.partition(" && exec ")[0]
    for volume in compose["services"]["nginx"]["volumes"]:
        source, target, _ = volume.split(":")
        assert (ROOT / "deploy" / source).exists()
        edit = edit.replace(target, str(ROOT / "deploy" / source))
    site = tmp_path / "site.conf"
    subprocess.run(["sh", "-c", edit.replace("/tmp/site.conf", str(site))], check=True)
    text = site.read_text()
    assert "server pages:8000" in text
    assert "server live:8001" in text
    assert "listen 8080;" in text
    text = text.replace("pages:8000", "127.0.0.1:8000").replace("live:8001", "127.0.0.1:8001")
    site.write_text(text.replace("/opt/ainews/app", str(ROOT)))
    locations = (ROOT / "deploy/nginx-locations.conf").read_text()
    assert "/opt/ainews/app/deploy/errors/" in locations
    main = (ROOT / "deploy/nginx-container.conf").read_text().replace("/tmp/", f"{tmp_path}/")
    (tmp_path / "main.conf").write_text(main)
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin") or ""
    command = [nginx, "-t", "-c", str(tmp_path / "main.conf")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shellcheck_has_nothing_to_say_about_the_script() -> None:
    subprocess.run(["shellcheck", ROOT / "deploy/make-secrets.sh"], check=True)


def test_secrets_are_written_once_and_agree(tmp_path: Path) -> None:
    command = ["sh", str(ROOT / "deploy/make-secrets.sh"), str(tmp_path / "secrets")]
    subprocess.run(command, check=True, capture_output=True)
    first = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    again = subprocess.run(command, check=True, capture_output=True, text=True)
    assert first == {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    assert again.stdout.count("it is kept") == 5
    assert first["postgres_password"] in first["database_url"]
    assert first["redis_password"] in first["redis_url"]
    assert len(set(first.values())) == 5
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
