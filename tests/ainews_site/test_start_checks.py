"""What is wrong at the start is refused or reported in one sentence that says what to do.

gunicorn loads the pages and ends by `--check-config`, so that its warnings can be read.
"""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from ainews_site.config.names import Deprecated, adopt_deprecated, misspelt_names
from ainews_site.config.schema import env as schema
from ainews_site.infra.version import program_version
from tests.services import free_place, free_port
from tests.workers import ROOT, environment, migrate

MANAGE = [sys.executable, "manage.py"]
GUNICORN = [sys.executable, "-m", "gunicorn", "--check-config", "ainews_site.wsgi"]
DAPHNE = [sys.executable, "-m", "daphne", "-v", "0", "-p", "PORT", "ainews_site.asgi:application"]
STARTS = {
    "start": [*MANAGE, "start"],
    "serve": [*MANAGE, "serve"],
    "worker": [*MANAGE, "worker"],
    "gunicorn": GUNICORN,
    "daphne": DAPHNE,
}
WEAK = {"SECRET_KEY": "secret", "SITE_URL": "https://news.example.org"}
PUBLIC = {"HOST": "0.0.0.0", "DEBUG": "True"}


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    env = environment(tmp_path / "data", "", PORT=str(free_port()))
    migrate(env)
    return env


def run(
    command: list[str], env: dict[str, str], *before: str
) -> "subprocess.CompletedProcess[str]":
    words = [word.replace("PORT", env["PORT"]) for word in command]
    return subprocess.run(
        [*before, *words],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=100,
    )


def refusal(command: list[str], env: dict[str, str], *before: str) -> str:
    """Return the only line that a command prints that does not start."""
    done = run(command, env, *before)
    printed = done.stdout + done.stderr
    assert done.returncode not in (0, None), printed
    assert "Traceback" not in printed
    lines = [line for line in printed.splitlines() if line.strip()]
    assert len(lines) == 1, printed
    return lines[0]


def warnings(env: dict[str, str]) -> str:
    """Return what gunicorn logs that starts nevertheless."""
    done = run(GUNICORN, env)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def change(env: dict[str, str], statement: str, *values: object) -> None:
    with closing(sqlite3.connect(Path(env["DATA"], "ainews.sqlite3"))) as database:
        database.execute(statement, values)
        database.commit()


def note_migration(env: dict[str, str], app: str, name: str) -> None:
    change(env, "INSERT INTO django_migrations (app, name, applied) VALUES (?, ?, 0)", app, name)


def test_a_weak_key_of_a_public_site_is_refused(env: dict[str, str]) -> None:
    said = refusal(STARTS["worker"], env | WEAK)
    assert "SECRET_KEY can be guessed" in said
    assert "SITE_URL has news.example.org" in said
    assert "Leave it empty" in said


@pytest.mark.slow
@pytest.mark.parametrize("name", STARTS)
def test_every_way_to_start_refuses_the_same(name: str, env: dict[str, str]) -> None:
    assert "SECRET_KEY can be guessed" in refusal(STARTS[name], env | WEAK)
    assert "Set DEBUG=False" in refusal(STARTS[name], env | PUBLIC)
    note_migration(env, "feeds", "9999_contract_tables")
    assert "cannot use it any more" in refusal(STARTS[name], env)


def test_a_weak_key_at_home_and_misspelt_names_are_reported(env: dict[str, str]) -> None:
    said = warnings(env | {"SECRET_KEY": "secret", "ALLOWED_HOST": "a", "AINEWS_PORT": "1"})
    assert "SECRET_KEY can be guessed. Leave it empty" in said
    assert "ALLOWED_HOST is not a setting. Did you mean ALLOWED_HOSTS?" in said
    assert "AINEWS_PORT is not a setting. Did you mean PORT?" in said


def test_debug_on_a_public_host_is_refused(env: dict[str, str]) -> None:
    said = refusal(STARTS["serve"], env | PUBLIC)
    assert "others can reach this site (HOST has 0.0.0.0). Set DEBUG=False" in said


def test_gunicorn_does_not_restart_workers_whose_settings_are_wrong(env: dict[str, str]) -> None:
    command = [*GUNICORN[:-2], "-b", "127.0.0.1:PORT", "-w", "1", "ainews_site.wsgi"]
    done = run(command, env | {"REQUESTS_AT_ONCE": "0"})
    assert done.returncode == 3
    assert done.stderr.count("REQUESTS_AT_ONCE must be 1 or more") == 1


def test_an_older_release_on_a_newer_database_is_refused(env: dict[str, str]) -> None:
    note_migration(env, "feeds", "9999_next")
    said = refusal(STARTS["worker"], env)
    assert "was upgraded by a newer version of AI News" in said
    assert f"this is {program_version()}" in said
    assert "Upgrade this machine, or restore the backup" in said


def test_an_older_release_beside_a_newer_one_is_reported(env: dict[str, str]) -> None:
    note_migration(env, "feeds", "9999_next")
    note_migration(env, "ainews_release", "98.0.0")
    note_migration(env, "ainews_release", "99.0.0")
    said = warnings(env)
    assert (
        f"This is AI News {program_version()}, but the database is already used by 99.0.0" in said
    )
    assert "Upgrade this machine soon" in said


def test_a_migration_records_the_release(env: dict[str, str]) -> None:
    query = "SELECT name FROM django_migrations WHERE app = 'ainews_release'"
    with closing(sqlite3.connect(Path(env["DATA"], "ainews.sqlite3"))) as database:
        assert database.execute(query).fetchall() == [(program_version(),)]


def test_a_clock_that_was_never_set_is_reported(env: dict[str, str]) -> None:
    off = {"PYTHONPATH": str(ROOT / "tests" / "off_clock"), "CLOCK_OFF": "-99000000"}
    assert "The clock of this machine is slow. Set it: timedatectl" in warnings(env | off)


def test_a_certificate_about_to_expire_is_reported(env: dict[str, str], tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("a certificate is made by openssl")
    certificate = tmp_path / "site.pem"
    command = (
        "openssl req -x509 -newkey ed25519 -nodes -subj /CN=news -keyout /dev/null -days 5 -out"
    )
    subprocess.run([*command.split(), str(certificate)], check=True, capture_output=True)
    said = warnings(env | {"TLS_CERTIFICATE": str(certificate)})
    assert f"The certificate {certificate} expires on" in said
    assert "certbot renew" in said


def test_a_used_port_is_refused(env: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", int(env["PORT"]))):
        said = refusal(STARTS["serve"], env)
    assert f"Port {env['PORT']} is used by another program; choose another, such as PORT=" in said


def test_ipv6_where_there_is_none_is_refused(env: dict[str, str]) -> None:
    without = ["unshare", "-n", "sh", "-c"]
    script = 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 && exec "$@"'
    if subprocess.run([*without, script, "sh", "true"], capture_output=True).returncode:
        pytest.skip("a network without IPv6 needs the right to make one")
    said = refusal(STARTS["serve"], env | {"HOST": "::1"}, *without, script, "sh")
    assert "This machine has no IPv6 address ::1. Set HOST=127.0.0.1, or enable IPv6." in said


def test_a_foreign_host_is_refused(env: dict[str, str]) -> None:
    said = refusal(STARTS["serve"], env | {"HOST": "192.0.2.7"})
    assert "HOST=192.0.2.7 is not an address of this machine. Set HOST=127.0.0.1" in said


def test_a_full_disk_is_refused(env: dict[str, str]) -> None:
    with free_place(4 * 2**20) as (folder, _):
        folder.chmod(0o777)
        said = refusal(STARTS["worker"], env | {"DATA": str(folder), "SECRET_KEY": ""})
        assert f"The disk of DATA={folder} is full. Free some space" in said


def test_a_disk_that_is_full_to_the_last_byte_is_refused(env: dict[str, str]) -> None:
    with free_place(2**16) as (folder, _):
        Path(folder, "rest").write_bytes(b"")
        with pytest.raises(OSError, match="No space left"), Path(folder, "rest").open("wb") as rest:
            while True:
                rest.write(b"0" * 4096)
                rest.flush()
        said = refusal(GUNICORN, env | {"DATA": str(folder), "SECRET_KEY": ""})
        assert f"The disk of DATA={folder} is full. Free some space" in said


@pytest.mark.parametrize("key", ["", "a key that is long enough to be good"])
def test_a_read_only_file_system_is_refused(key: str, env: dict[str, str]) -> None:
    with free_place(50 * 2**20) as (folder, _):
        if key:
            Path(folder, "static").mkdir()
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        said = refusal(STARTS["serve"], env | {"DATA": str(folder), "SECRET_KEY": key})
        assert f"DATA={folder} is on a read-only file system. Set DATA to a folder" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_folder_of_another_user_is_refused(env: dict[str, str]) -> None:
    with free_place(50 * 2**20) as (folder, _):
        folder.chmod(0o755)
        script = (
            "import sys; sys.path.insert(0, '.')\n"
            "from ainews_site.config.data_folder import folder_problem\n"
            "from pathlib import Path; import os; os.setuid(65534)\n"
            f"print(folder_problem(Path({str(folder)!r})))"
        )
        done = run([sys.executable, "-c", script], env)
        assert f"DATA={folder} cannot be written to by the user" in done.stdout, done.stderr


SETTINGS = """
import sys
from pathlib import Path
from ainews_site.config import names
from ainews_site.infra import places
places.env_file = lambda: Path(sys.argv[1])
names.DEPRECATED["POLL_BATCHES"] = names.Deprecated("0.3", "1.0", "POLL_BATCH")
from ainews_site.cli import manage
manage(["shell", "-c", "from django.conf import settings; print(settings.POLL_BATCH)"])
manage(["check"])
"""


def test_the_settings_in_a_file_are_checked(env: dict[str, str], tmp_path: Path) -> None:
    del env["POLL_BATCH"]
    file = tmp_path / ".env"
    file.write_text("POLL_BATCHES=7\nDATABASE_URI=postgres://host/name\nport=80\nAWS_REGION=x\n")
    done = run([sys.executable, "-c", SETTINGS, str(file)], env)
    assert "7" in done.stdout.splitlines()
    assert "DATABASE_URI is not a setting. Did you mean DATABASE_URL?" in done.stderr
    assert "port is not a setting. Did you mean PORT?" in done.stderr
    deprecated = (
        "POLL_BATCHES is deprecated since 0.3 and has no effect from 1.0 on. Use POLL_BATCH"
    )
    assert deprecated in done.stderr
    assert "AWS_REGION" not in done.stderr


@pytest.mark.parametrize("content", [None, b"SECRET_KEY=\xff"])
def test_a_file_that_cannot_be_read_is_refused(
    content: bytes | None, env: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / ".env"
    file.mkdir() if content is None else file.write_bytes(content)
    said = refusal([sys.executable, "-c", SETTINGS, str(file)], env)
    assert f"The settings in {file} cannot be read: " in said


@pytest.mark.parametrize(
    "name",
    ["HOSTNAME", "LOGNAME", "PATH", "PYTHONPATH", "REDIS_URLS_OF_X", "DJANGO_SETTINGS_MODULE"],
)
def test_names_of_other_programs_are_not_reported(name: str) -> None:
    assert misspelt_names(schema.scheme, [], [name]) == []


def test_no_setting_resembles_a_misspelling(env: dict[str, str]) -> None:
    assert misspelt_names(schema.scheme, schema.scheme, schema.scheme) == []


def test_a_deprecated_setting_without_a_replacement_says_so() -> None:
    rules = {"OLD": Deprecated("0.3", "1.0"), "UNUSED": Deprecated("0.3", "1.0")}
    assert adopt_deprecated({"OLD": "1"}, rules) == [
        "OLD is deprecated since 0.3 and has no effect from 1.0 on. Remove it."
    ]
    both = {"OLD": "1", "NEW": "2"}
    adopt_deprecated(both, {"OLD": Deprecated("0.3", "1.0", "NEW")})
    assert both["NEW"] == "2"
