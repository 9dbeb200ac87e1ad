"""What this process was started for, as far as the settings depend on it.

The entry points of the web servers call `serve_pages` before Django loads the settings.
"""

_serves_pages = False


def serve_pages() -> None:
    """Note that this process is a web server, so that the settings give it a connection pool."""
    global _serves_pages
    _serves_pages = True


def is_web_server() -> bool:
    return _serves_pages
