"""What may be wrong with the addresses among the settings. Pure; none is shown, as one may have
a password in it."""

from urllib.parse import urlsplit

MAIL_SCHEMES = ("smtp", "smtps", "smtp+tls", "smtp+ssl", "consolemail", "filemail")


def site_problem(url: str) -> str:
    """Of the address under which the world knows the site; empty where there is none."""
    try:
        parts = urlsplit(url)
        is_site = parts.scheme in ("http", "https") and bool(parts.hostname)
        is_bare = not (parts.path or parts.query or parts.fragment or parts.username)
        _ = parts.port
    except ValueError:
        return "is no address"
    return "" if is_site and is_bare else "is no http(s)://host without a path"


def mail_problem(url: str) -> str:
    """Of the address of the mail server; empty where there is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "is no address"
    if parts.scheme not in MAIL_SCHEMES:
        return f"begins with none of {', '.join(f'{name}://' for name in MAIL_SCHEMES)}"
    return "" if parts.hostname or not parts.scheme.startswith("smtp") else "names no host"
