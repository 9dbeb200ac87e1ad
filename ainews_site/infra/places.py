"""Where the files of the program and the data of its user lie: in a checkout or a package. Pure.

A package has the folders of FILES inside `ainews_site/share`, where the build copies them. A
checkout has them beside the Python packages.
"""

import os
from pathlib import Path

BASE = Path(__file__).resolve().parents[2]
"""The folder of the Python packages: that of the checkout, or `site-packages`."""
_SHARE = BASE / "ainews_site" / "share"
IS_INSTALLED = _SHARE.is_dir()
FILES = _SHARE if IS_INSTALLED else BASE
"""The folder of `templates`, `static` and `.env.example`."""

SERVER_PACKAGES = "`ainews[server]`" if IS_INSTALLED else "requirements/server.txt"
"""What messages recommend to install for PostgreSQL, Redis and message queues."""


def user_folder() -> Path:
    """Return the folder of an installed AI News, by the XDG base directory specification."""
    try:
        shared = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser()
    except RuntimeError:
        raise SystemExit("There is no home folder for the data: set DATA or HOME.") from None
    return shared / "ainews"


def default_data() -> Path:
    """Return the default of DATA."""
    return user_folder() if IS_INSTALLED else BASE / "var"


def demo_data() -> Path:
    """Return the default of DATA for the sample newsroom."""
    return default_data() / "demo"


def env_file() -> Path:
    """Return the path of `.env`.

    An installed AI News does not read `.env` of the current folder, which may belong to another
    program.
    """
    return (user_folder() if IS_INSTALLED else BASE) / ".env"
