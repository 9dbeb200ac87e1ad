"""The settings of a site with some addresses that fail, for tests of error pages."""

from ainews_site.settings import *  # noqa: F403

ROOT_URLCONF = "tests.broken_urls"
