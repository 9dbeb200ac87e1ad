"""What the tests of deployment files share: which commands and settings AI News has."""

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from django.core.management import get_commands, load_command_class

from ainews_site.config.schema import env
from ainews_site.config.secret_files import NAMES
from tests.workers import ROOT

OF_OTHERS = {"WEB_CONCURRENCY"}
"""Variables of gunicorn."""


def unknown_settings(names: Iterator[str] | Sequence[str]) -> list[str]:
    """Return the names that are no settings of AI News."""
    known = {*env.scheme, *OF_OTHERS, *(f"{name}_FILE" for name in NAMES)}
    return [name for name in names if name not in known]


def check_command(command: Sequence[str]) -> None:
    """Fail unless the command exists, takes its options, and loads an existing module."""
    if list(command[:2]) == ["python", "manage.py"]:
        name, *options = command[2:]
        assert name in get_commands(), command
        parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
        parser.parse_args([re.sub(r"^\$\{.*:-(.*)\}$", r"\1", option) for option in options])
    elif command[0] == "python":
        assert (ROOT / command[1]).is_file(), command
    else:
        assert Path(sys.executable).with_name(command[0]).exists(), command
        module, _, _ = command[-1].partition(":")
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file() or module == "ainews_site.wsgi"
