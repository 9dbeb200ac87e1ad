"""The sign-in link: one use, fifteen minutes, from this machine or by HTTPS."""

from ipaddress import ip_address

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import SigninToken, User, hash_token

PREFETCH_HEADERS = ("Sec-Purpose", "Purpose", "X-Moz")
FORWARDED_HEADERS = ("X-Forwarded-For", "X-Real-IP", "Forwarded")


def is_prefetch(request: HttpRequest) -> bool:
    """Whether a browser or a chat client only looks ahead: that must not use up the link."""
    return request.method != "GET" or any(
        word in request.headers.get(name, "").lower()
        for name in PREFETCH_HEADERS
        for word in ("prefetch", "preview", "prerender")
    )


def may_redeem(request: HttpRequest) -> bool:
    """Whether nobody between the browser and this site can have read the link."""
    return request.is_secure() or is_from_this_machine(request)


def is_from_this_machine(request: HttpRequest) -> bool:
    """Loopback by the connection itself; whatever came through a proxy is from elsewhere."""
    if any(name in request.headers for name in FORWARDED_HEADERS):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


@transaction.atomic
def redeem(token: str) -> User | None:
    """The user of a valid `token`, which is then used up; None for any other."""
    valid_since = timezone.now() - SigninToken.LIFETIME
    found = (
        SigninToken.objects.select_related("user")
        .filter(token_hash=hash_token(token), created_at__gte=valid_since, user__is_active=True)
        .first()
    )
    # The count decides between two requests that come at once.
    if found is None or not SigninToken.objects.filter(pk=found.pk).delete()[0]:
        return None
    return found.user


def signin_address(token: str) -> str:
    """The link to be opened: of the site where it has HTTPS, else of this machine."""
    if settings.SITE_URL.startswith("https:"):
        return f"{settings.SITE_URL}/signin/{token}"
    host = settings.HOST if settings.HOST in ("localhost", "127.0.0.1") else "127.0.0.1"
    return f"http://{host}:{settings.PORT}/signin/{token}"
