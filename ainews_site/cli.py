"""The command line: `manage.py COMMAND` in a checkout, and `ainews COMMAND` of the package."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ainews_site.infra.invocation import PROGRAM
from ainews_site.infra.places import FILES, default_data, demo_data, env_file
from ainews_site.infra.version import program_version

NEWSROOM_PORT = 8765
HELP = """\
AI News reads the feeds of AI labs, researchers and reporters, and groups the articles
about one event into a story.

Start here:
  ainews demo           try it with a sample newsroom, without a network
  ainews run            read real feeds; prints a link that signs you in

Both run until you press Ctrl-C, and take --port, --host and --data.

For servers:
  ainews serve          run web server and worker, on a database that is ready
  ainews worker         run tasks only; on as many machines as you like
  ainews migrate        prepare or upgrade the database

When something is wrong:
  ainews doctor         check everything, and say how to fix what does not work
  ainews signin_link reader
                        print a new sign-in link
  ainews backup         back up the database while AI News runs

  ainews settings       print every setting with its default; yours go into
                        {env}
  ainews commands       list all commands
  ainews COMMAND --help explain one
  ainews --version      print the version

Your data is in {data}. Set DATA to use another folder.
"""


def main() -> None:
    """Run the command `ainews`."""
    run(sys.argv[1:])


def run(arguments: Sequence[str]) -> None:
    """Run `ainews` with `arguments`. Commands that are not its own are those of manage.py."""
    name = arguments[0] if arguments else "--help"
    if name in ("--help", "-h", "help") and len(arguments) < 2:
        sys.stdout.write(HELP.format(env=env_file(), data=default_data()))
    elif name in ("--version", "-V", "version"):
        sys.stdout.write(f"AI News {program_version()}\n")
    elif name == "settings":
        sys.stdout.write((FILES / ".env.example").read_text(encoding="utf-8"))
    elif name in ("run", "demo"):
        start(name, arguments[1:])
    elif name == "commands":
        manage(["help", "--commands"])
    else:
        manage(arguments)


def start(name: str, arguments: Sequence[str]) -> None:
    """Run `start` as `make run` or `make demo` do."""
    is_demo = name == "demo"
    parser = start_parser(name)
    options = parser.parse_args(arguments)
    for variable in ("port", "host", "data"):
        if value := getattr(options, variable):
            os.environ[variable.upper()] = value
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    if is_demo:
        os.environ |= _demo_settings(options.newsroom_port)
        manage(["start", "--demo", "--newsroom-port", str(options.newsroom_port)])
    else:
        manage(["start"])


def start_parser(name: str) -> argparse.ArgumentParser:
    purpose = {
        "run": "Read real feeds: prepare the database, run everything, print a sign-in link.",
        "demo": "Run a sample newsroom of invented outlets on this machine, without a network.",
    }
    data = demo_data() if name == "demo" else default_data()
    parser = argparse.ArgumentParser(prog=f"{PROGRAM} {name}", description=purpose[name])
    parser.add_argument("--port", help="port of the pages; default: PORT, or 8000")
    parser.add_argument("--host", help="address to listen on; default: HOST, or 127.0.0.1")
    parser.add_argument("--data", help=f"folder of the data; default: DATA, or {data}")
    if name == "demo":
        parser.add_argument(
            "--newsroom-port", type=int, default=NEWSROOM_PORT, help="default: %(default)s"
        )
    return parser


def _demo_settings(newsroom_port: int) -> dict[str, str]:
    """Return the variables that keep the sample newsroom apart from real news."""
    return {
        "DATA": os.environ.get("DATA") or str(demo_data()),
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "FETCH_ALLOW_PRIVATE": "127.0.0.1",
        "FETCH_PORTS": str(newsroom_port),
        "FETCH_HOST_PAUSE": "0",
        "LOG_LEVEL": "WARNING",
    }


def manage(arguments: Sequence[str]) -> None:
    """Run a Django command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ainews_site.settings")
    command = arguments[0] if arguments else ""
    if "AINEWS_PARENT" in os.environ:
        from ainews_site.process.lifeline import follow_parent

        follow_parent(with_forks=command == "qcluster")
    elif os.environ.get("DATA"):
        # Child processes have another current folder.
        os.environ["DATA"] = str(Path(os.environ["DATA"]).expanduser().absolute())
    if command == "start":
        from ainews_site.process.fast_start import start_web

        start_web()
    from django.core.management import execute_from_command_line
    from django.db import Error

    try:
        execute_from_command_line([PROGRAM, *arguments])
    except Error as error:
        from ainews_site.infra.schema import problem_in_words

        problem = problem_in_words(error)
        if not problem or "--traceback" in arguments:
            raise
        raise SystemExit(problem) from None
