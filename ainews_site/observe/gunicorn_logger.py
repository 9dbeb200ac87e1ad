"""Lets gunicorn write its own lines, of master and workers, in the format of all others.

`gunicorn.conf.py` and `ainews_site.process.gunicorn_hooks` name it. The master does not load
Django, so the format comes from LOG_FORMAT of the environment.
"""

import os
from typing import Any

from gunicorn.glogging import Logger as BaseLogger

from ainews_site.observe.log_lines import JsonLines, TextLines


class Logger(BaseLogger):  # type: ignore[misc]
    """gunicorn's logger without an access log: ainews_site.request_log writes that."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        name = os.environ.get("LOG_FORMAT") or "auto"
        is_text = name == "text" or (name != "json" and os.isatty(2))
        formatter = TextLines() if is_text else JsonLines()
        for handler in self.error_log.handlers:
            handler.setFormatter(formatter)
