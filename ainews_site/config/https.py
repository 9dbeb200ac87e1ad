"""The Django settings that depend on whether SITE_URL begins with https. Pure."""

from typing import Any
from urllib.parse import urlsplit

HSTS_SECONDS = 30 * 24 * 3600


def https_settings(
    site_url: str,
    *,
    has_proxy: bool,
    hsts_seconds: int = HSTS_SECONDS,
    hsts_subdomains: bool = False,
) -> dict[str, Any]:
    """Return the settings for secure cookies, HSTS, and the redirect to HTTPS.

    The redirect needs a proxy that sends the scheme of each request. Without it, every request
    would look like HTTP and be redirected in a loop.
    """
    site = urlsplit(site_url)
    is_https = site.scheme == "https"
    return {
        # TrustedProxyMiddleware decides who may set the header.
        "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
        "SESSION_COOKIE_SECURE": is_https,
        "CSRF_COOKIE_SECURE": is_https,
        "SECURE_SSL_REDIRECT": is_https and has_proxy,
        "SECURE_SSL_HOST": site.netloc or None,
        # The supervisor and probes request it by HTTP on the machine itself.
        "SECURE_REDIRECT_EXEMPT": [r"^health(/live|/ready)?$", r"^metrics$"],
        "SECURE_HSTS_SECONDS": hsts_seconds if is_https else 0,
        "SECURE_HSTS_INCLUDE_SUBDOMAINS": hsts_subdomains,
        # HSTS for subdomains and preload lists are for the operator to decide, because other
        # servers of the domain may have no HTTPS.
        "SILENCED_SYSTEM_CHECKS": ["security.W005", "security.W021"],
    }
