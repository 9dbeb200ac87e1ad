"""The settings of a site with some addresses that fail."""

from ainews_site.settings import *  # noqa: F403

ROOT_URLCONF = "tests.ainews_site.observe.failing_urls"
