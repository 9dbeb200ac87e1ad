#!/usr/bin/env python
"""Django's command line for AI News."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ainews_site.settings")
    if sys.argv[1:2] == ["start"]:
        from ainews_site.early import start_web

        start_web()
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
