"""How to call manage.py for the database that this process uses."""

import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

import environ
from django.conf import settings

NAMES = ("DATA", "DATABASE_URL")
"""Settings that say where the database is."""


def manage_command() -> str:
    """As in `DATA=var/demo .venv/bin/python manage.py`, to be typed in the program's folder."""
    given = _lacking(settings.GIVEN, _env_file(settings.BASE_DIR / ".env"), settings.BASE_DIR)
    return " ".join([*given, shlex.quote(_shown(Path(sys.executable))), "manage.py"])


def _lacking(given: Mapping[str, str], file: Mapping[str, str], base: Path) -> list[str]:
    """Assignments for what the environment of this process gave, and another terminal lacks."""
    lacking = []
    if "DATA" in given:
        default = base / "var"
        here, elsewhere = (
            Path(names.get("DATA") or default).expanduser().absolute() for names in (given, file)
        )
        if here != elsewhere:
            lacking.append(f"DATA={shlex.quote(_shown(here))}")
    if given.get("DATABASE_URL", file.get("DATABASE_URL", "")) != file.get("DATABASE_URL", ""):
        lacking.append(f"DATABASE_URL={shlex.quote(_without_password(given['DATABASE_URL']))}")
    return lacking


def _without_password(url: str) -> str:
    """This is printed and logged: the password is left for the operator to fill in."""
    return re.sub(r"(?<=://)([^@/]*?):[^@]*(?=@)", r"\1:PASSWORD", url)


def _env_file(path: Path) -> Mapping[str, str]:
    class File(environ.Env):  # type: ignore[misc]
        ENVIRON: dict[str, str] = {}

    File.read_env(path)
    return File.ENVIRON


def _shown(path: Path) -> str:
    """Relative where it is below the program's folder."""
    base: Path = settings.BASE_DIR
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)
