"""How to call manage.py for the database that this process uses."""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import environ
from django.conf import settings

from ainews_site.infra.places import BASE, IS_INSTALLED, default_data, env_file

PROGRAM = "ainews" if IS_INSTALLED else "manage.py"
"""The name of the command line, for messages that recommend one of its commands."""
RUN, DEMO = ("ainews run", "ainews demo") if IS_INSTALLED else ("make run", "make demo")
"""Two commands that messages recommend as well."""
VARIABLE = "AINEWS_MANAGE"
"""The environment variable with the command that an installer wrote for this installation."""
NAMES = ("DATA", "DATABASE_URL")
"""Settings that locate the database."""


def child_command(*arguments: str) -> list[str]:
    """Return the command line of a child process that runs a command. Its folder must be BASE."""
    return [sys.executable, "-m", "ainews_site", *arguments]


def manage_command() -> str:
    """Return the command for a terminal, such as `DATA=var/demo .venv/bin/python manage.py`.

    In a checkout it works in the program's folder, else anywhere. The services of
    `deploy/install.sh` name its command in VARIABLE.
    """
    if wrapper := os.environ.get(VARIABLE):
        return wrapper
    assignments = _assignments(settings.GIVEN, _env_file(env_file()), default_data())
    return " ".join([*assignments, *_program()])


def _program() -> list[str]:
    if not IS_INSTALLED:
        return [shlex.quote(shown(Path(sys.executable))), PROGRAM]
    script = Path(sys.executable).with_name(PROGRAM)
    on_path = shutil.which(PROGRAM)
    is_on_path = on_path and script.exists() and Path(on_path).samefile(script)
    return [PROGRAM if is_on_path else shlex.quote(str(script))]


def _assignments(given: Mapping[str, str], file: Mapping[str, str], default: Path) -> list[str]:
    """Return the assignments that another terminal needs to use the same database.

    `given` is the environment of this process, `file` the content of `.env`, and `default` the
    default of DATA. What both have in common needs no assignment.
    """
    assignments = []
    if "DATA" in given:
        here, elsewhere = (
            Path(names.get("DATA") or default).expanduser().absolute() for names in (given, file)
        )
        if here != elsewhere:
            assignments.append(f"DATA={shlex.quote(shown(here))}")
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


def shown(path: Path) -> str:
    """Return `path`, relative to the folder of a checkout if it lies below it."""
    is_below = not IS_INSTALLED and path.is_relative_to(BASE)
    return str(path.relative_to(BASE)) if is_below else str(path)
