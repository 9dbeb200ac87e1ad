"""Raises the number of files and connections that this process may have open."""

import logging
import resource
import sys

WANTED = 65_536

logger = logging.getLogger(__name__)


def raise_open_files() -> None:
    """Raise the soft limit, often 1,024, as far as the hard limit allows, up to WANTED.

    Each open page has a socket. At the limit, a server accepts no connection any more.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if sys.platform == "darwin":
        wanted = min(wanted, 10_240)
    if 0 <= soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError) as error:
            logger.info("open_files_not_raised limit=%s reason=%s", soft, error)
