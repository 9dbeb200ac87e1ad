"""Secrets come from files: of systemd's credentials, or those that NAME_FILE names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ainews_site.config.secret_files import SecretFileError, read_secret_files
from tests.docs.blocks import ROOT

SECRET = "a-secret-of-more-than-twenty-characters"


def test_a_file_is_read_without_its_last_line_break(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{SECRET}\n")
    environment = {"SECRET_KEY_FILE": str(tmp_path / "key")}

    read_secret_files(environment)

    assert environment["SECRET_KEY"] == SECRET


def test_a_credential_of_systemd_is_read(tmp_path: Path) -> None:
    (tmp_path / "database_url").write_text("postgres://ainews:secret@db/ainews\n")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}

    read_secret_files(environment)

    assert environment["DATABASE_URL"] == "postgres://ainews:secret@db/ainews"
    assert "SECRET_KEY" not in environment


def test_the_environment_takes_precedence(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("of the file")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path), "SECRET_KEY": SECRET}

    read_secret_files(environment)

    assert environment["SECRET_KEY"] == SECRET


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "No such file or directory"), ("\n", "is empty"), (b"\xff", "text")],
)
def test_a_bad_file_is_one_clear_sentence(
    tmp_path: Path, content: str | bytes | None, says: str
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    with pytest.raises(SecretFileError, match=f"^SECRET_KEY_FILE: {file} .*{says}"):
        read_secret_files({"SECRET_KEY_FILE": str(file)})


def test_the_settings_use_the_files_and_name_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text(SECRET)
    environment = os.environ | {"DATA": str(tmp_path), "CREDENTIALS_DIRECTORY": str(tmp_path)}
    command = [sys.executable, "-c", "from ainews_site import settings as s; print(s.SECRET_KEY)"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == SECRET, done.stderr

    environment |= {"DATABASE_URL_FILE": "/nowhere"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stderr == "DATABASE_URL_FILE: /nowhere cannot be read: No such file or directory.\n"
    assert done.returncode == 1
