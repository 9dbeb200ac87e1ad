#!/usr/bin/env python
"""Django's command line for AI News."""

import sys

from ainews_site.cli import manage

if __name__ == "__main__":
    manage(sys.argv[1:])
