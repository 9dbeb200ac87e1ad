#!/usr/bin/env python
"""Django's command line for AI News."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ainews_site.settings")
    if "AINEWS_PARENT" in os.environ:
        from ainews_site.process.lifeline import follow_parent

        follow_parent(with_forks=sys.argv[1:2] == ["qcluster"])
    if sys.argv[1:2] == ["start"]:
        from ainews_site.process.fast_start import start_web

        start_web()
    from django.core.management import execute_from_command_line
    from django.db import Error

    try:
        execute_from_command_line(sys.argv)
    except Error as error:
        from ainews_site.infra.schema import problem_in_words

        problem = problem_in_words(error)
        if not problem or "--traceback" in sys.argv:
            raise
        raise SystemExit(problem) from None


if __name__ == "__main__":
    main()
