"""What this process was started for, as far as the settings depend on it.

The entry points of the web servers call `serve_pages` before Django loads the settings.
"""

_serves_pages = _keeps_threads = False


def serve_pages(*, keeps_threads: bool = False) -> None:
    """Note that this process is a web server, so that the settings give it a connection pool.

    `keeps_threads` says whether it answers the next requests in the same threads, as gunicorn does.
    daphne starts a thread for each request.
    """
    global _serves_pages, _keeps_threads
    _serves_pages, _keeps_threads = True, keeps_threads


def is_web_server() -> bool:
    return _serves_pages


def keeps_threads() -> bool:
    return _keeps_threads
