"""What is wrong when a process starts: refused, or reported in a sentence that says what to do.

The commands `start`, `serve` and `worker`, gunicorn and daphne run the same checks. What cannot be
checked because the database is down is left out: pages are then served from replicas, or say so.
"""

import logging
import os

from django.conf import settings
from django.core.checks import CheckMessage, run_checks
from django.core.checks.messages import ERROR
from django.core.management.base import CommandError
from django.db import Error, connection

from ainews_site import machine_checks
from ainews_site.config.data_folder import folder_problem
from ainews_site.infra.console import report
from ainews_site.infra.releases import older_problem, older_warning, record_release
from ainews_site.infra.schema import schema_problem
from ainews_site.process.boot import end_web_server

SERVING = "serving"
"""The tag of checks that matter to those who serve pages or run tasks, but not to a backup."""

logger = logging.getLogger(__name__)


def check_command(*, is_migrated: bool = True) -> None:
    """Raise CommandError if the command cannot work, and print warnings.

    `is_migrated` says whether the database should have all migrations already.
    """
    if problem := _refusal() or older_problem():
        raise CommandError(problem)
    if is_migrated and (problem := schema_problem()):
        raise CommandError(problem)
    for warning in warnings():
        report(f"Warning: {warning}")
    connection.close()


def check_web_server() -> None:
    """End this process if it cannot serve pages, and log warnings.

    A web server whose database lacks migrations starts, and its pages say so until they are run.
    """
    if "AINEWS_RUN" in os.environ:  # `start` or `serve` has checked
        return
    try:
        problem = _refusal() or older_problem()
        messages = [] if problem else [schema_problem(), *warnings()]
    except Error:
        problem, messages = "", []
    finally:
        connection.close()
    if problem:
        end_web_server(problem)
    for message in filter(None, messages):
        logger.warning("%s", message)


def warnings() -> list[str]:
    """Return a sentence for each problem with which the process still works."""
    sentences = [_sentence(message) for message in _messages() if message.level < ERROR]
    try:
        sentences.append(older_warning())
        sentences.append(machine_checks.clock_is_right())
        record_release()
    except Error:  # the caller has reported missing tables
        connection.close()
    if problem := machine_checks.disk():
        sentences.append(f"There is {problem} Free some space.")
    sentences.append(machine_checks.certificate())
    return [sentence for sentence in sentences if sentence]


def _refusal() -> str:
    errors = [message for message in _messages() if message.level >= ERROR]
    return " ".join(_sentence(message) for message in errors) or folder_problem(settings.DATA)


def _messages() -> list[CheckMessage]:
    return run_checks(tags=["ainews", SERVING])


def _sentence(message: CheckMessage) -> str:
    return " ".join(str(part) for part in (message.msg, message.hint) if part)
