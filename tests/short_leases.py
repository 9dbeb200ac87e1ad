"""The settings of a site whose queue delivers a message again after thirteen seconds."""

from ainews_site.settings import *  # noqa: F403

Q_CLUSTER |= {"timeout": 1, "retry": 13, "ALT_CLUSTERS": {"slow": {"timeout": 1, "retry": 13}}}  # noqa: F405
