"""What follows for Django from SITE_URL beginning with https. Pure."""

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
    """Secure cookies, HSTS, and the redirect to HTTPS. The redirect needs a proxy that says by
    which scheme a request came: without one, each page would be redirected for ever."""
    site = urlsplit(site_url)
    is_https = site.scheme == "https"
    return {
        # TrustedProxyMiddleware decides who may set the header.
        "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
        "SESSION_COOKIE_SECURE": is_https,
        "CSRF_COOKIE_SECURE": is_https,
        "SECURE_SSL_REDIRECT": is_https and has_proxy,
        "SECURE_SSL_HOST": site.netloc or None,
        # The watchdog and probes ask for it on the machine itself.
        "SECURE_REDIRECT_EXEMPT": [r"^health(/ready)?$"],
        "SECURE_HSTS_SECONDS": hsts_seconds if is_https else 0,
        "SECURE_HSTS_INCLUDE_SUBDOMAINS": hsts_subdomains,
        # Names below that of the site, and browsers' preload lists, are the operator's decision:
        # they may be names of other servers, without HTTPS.
        "SILENCED_SYSTEM_CHECKS": ["security.W005", "security.W021"],
    }
