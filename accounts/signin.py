"""Sign-in links, which work once, within fifteen minutes, from this machine or by HTTPS."""

from ipaddress import ip_address

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import SigninToken, User, hash_token

PREFETCH_HEADERS = ("Sec-Purpose", "Purpose", "X-Moz")
FORWARDED_HEADERS = ("X-Forwarded-For", "X-Real-IP", "Forwarded")


def is_prefetch(request: HttpRequest) -> bool:
    """Return True if a browser or a chat client only prefetches, which must not use up the link."""
    return request.method != "GET" or any(
        word in request.headers.get(name, "").lower()
        for name in PREFETCH_HEADERS
        for word in ("prefetch", "preview", "prerender")
    )


def may_redeem(request: HttpRequest) -> bool:
    """Return True if nobody between the browser and this site can have read the link."""
    return request.is_secure() or is_from_this_machine(request)


def is_from_this_machine(request: HttpRequest) -> bool:
    """Return True if the connection is from loopback and did not pass through a proxy."""
    if any(name in request.headers for name in FORWARDED_HEADERS):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


@transaction.atomic
def redeem(token: str) -> User | None:
    """Return the user of `token` and use it up. Returns None if the token is invalid."""
    valid_since = timezone.now() - SigninToken.LIFETIME
    row = (
        SigninToken.objects.select_related("user")
        .filter(token_hash=hash_token(token), created_at__gte=valid_since, user__is_active=True)
        .first()
    )
    # Of two parallel requests, the one that deletes the row signs in.
    if row is None or not SigninToken.objects.filter(pk=row.pk).delete()[0]:
        return None
    return row.user


def signin_address(token: str) -> str:
    """Return the sign-in link: on SITE_URL if that has HTTPS, else on this machine."""
    if settings.SITE_URL.startswith("https:"):
        return f"{settings.SITE_URL}/signin/{token}"
    host = settings.HOST if settings.HOST in ("localhost", "127.0.0.1") else "127.0.0.1"
    return f"http://{host}:{settings.PORT}/signin/{token}"
