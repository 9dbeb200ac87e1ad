"""How to call manage.py for the database that this process uses."""

import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

import environ
from django.conf import settings

NAMES = ("DATA", "DATABASE_URL")
"""Settings that locate the database."""


def manage_command() -> str:
    """Return the command, such as `DATA=var/demo .venv/bin/python manage.py`.

    It works in the program's folder.
    """
    env_file = _env_file(settings.BASE_DIR / ".env")
    assignments = _assignments(settings.GIVEN, env_file, settings.BASE_DIR)
    return " ".join([*assignments, shlex.quote(_shown(Path(sys.executable))), "manage.py"])


def _assignments(given: Mapping[str, str], file: Mapping[str, str], base: Path) -> list[str]:
    """Return the assignments that another terminal needs to use the same database.

    `given` is the environment of this process, `file` the content of `.env`. What both have in
    common needs no assignment.
    """
    assignments = []
    if "DATA" in given:
        default = base / "var"
        here, elsewhere = (
            Path(names.get("DATA") or default).expanduser().absolute() for names in (given, file)
        )
        if here != elsewhere:
            assignments.append(f"DATA={shlex.quote(_shown(here))}")
    if given.get("DATABASE_URL", file.get("DATABASE_URL", "")) != file.get("DATABASE_URL", ""):
        assignments.append(f"DATABASE_URL={shlex.quote(_without_password(given['DATABASE_URL']))}")
    return assignments


def _without_password(url: str) -> str:
    """Replace the password, because the command is printed and logged."""
    return re.sub(r"(?<=://)([^@/]*?):[^@]*(?=@)", r"\1:PASSWORD", url)


def _env_file(path: Path) -> Mapping[str, str]:
    class File(environ.Env):  # type: ignore[misc]
        ENVIRON: dict[str, str] = {}

    if path.exists():  # django-environ would log that it does not
        File.read_env(path)
    return File.ENVIRON


def _shown(path: Path) -> str:
    """Return `path`, relative to the program's folder if it lies below it."""
    base: Path = settings.BASE_DIR
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)
