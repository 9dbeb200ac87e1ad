"""`python -m ainews_site COMMAND` does what `manage.py COMMAND` does, also without a checkout."""

import sys

from ainews_site.cli import manage

manage(sys.argv[1:])
