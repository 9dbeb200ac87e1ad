"""Throttles sign-ins by username and password.

Attempts are counted by account and address together, by address, and, with a higher limit, by
account. So a stranger at another address cannot easily lock a reader out. A browser that has signed
in before has a device cookie. Its attempts are counted separately, so the reader can sign in even
while others guess from everywhere.

The guard is the first of Django's authentication backends, so it covers every form that calls
`authenticate`, such as the page and the admin.
"""

import secrets
import unicodedata
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.core.signing import BadSignature, TimestampSigner
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.limits import Counter, Limit
from accounts.models import User
from accounts.throttle import count_attempt, reset_attempts, uncount_attempt

BY_ACCOUNT_AND_ADDRESS = Limit("account and address", free=5)
BY_ADDRESS = Limit("address", free=20)
BY_ACCOUNT = Limit("account", free=50, longest=300)
BY_DEVICE = Limit("device", free=10)

COOKIE = "device"
COOKIE_AGE = 365 * 24 * 3600


class SigninGuard:
    """An authentication backend that never authenticates.

    It raises TooMany, or leaves the decision to the next backends. It has no `get_user`, so Django
    never stores it in a session.
    """

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> None:
        name = next((credentials[key] for key in ("username", "email") if credentials.get(key)), "")
        if request is None or not name or "password" not in credentials:
            return
        counters = _counters(request, name)
        count_attempt(*counters)
        request.counted_attempts = counters  # type: ignore[attr-defined]


@receiver(user_logged_in, dispatch_uid="accounts.signin_guard")
def record_signin(request: HttpRequest | None, user: User, **_: Any) -> None:
    """Correct the counts after a successful sign-in, and let the browser get a device cookie."""
    if request is None:
        return
    if counted := getattr(request, "counted_attempts", []):
        first, *others = counted
        reset_attempts(first)
        uncount_attempt(*others)
    request.signed_in_device = _signed_device(user.get_username())  # type: ignore[attr-defined]


def uncount_signin(request: HttpRequest) -> None:
    """Take back the attempt of this request, because its password was not checked."""
    if counted := getattr(request, "counted_attempts", []):
        uncount_attempt(*counted)


def set_device_cookie(request: HttpRequest, response: HttpResponse) -> None:
    """Set the device cookie if this request signed in; see `record_signin`."""
    if signed := getattr(request, "signed_in_device", ""):
        response.set_cookie(
            COOKIE,
            signed,
            COOKIE_AGE,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )


def client_network(request: HttpRequest) -> str:
    """Return the client's IPv4 address, or its IPv6 network of 64 bits.

    A single client has 2**64 addresses of IPv6.
    """
    text = request.META.get("REMOTE_ADDR", "")
    try:
        address = ip_address(text)
    except ValueError:  # a connection by a Unix socket has no address
        return str(text)
    if not isinstance(address, IPv6Address):
        return str(address)
    mapped = address.ipv4_mapped
    return str(mapped or ip_network((int(address) >> 64 << 64, 64)))


def _counters(request: HttpRequest, name: str) -> list[Counter]:
    account = _normalised(name)
    if device := _known_device(request, account):
        return [Counter(BY_DEVICE, device)]
    address = client_network(request)
    return [
        Counter(BY_ACCOUNT_AND_ADDRESS, f"{account} {address}"),
        Counter(BY_ADDRESS, address),
        Counter(BY_ACCOUNT, account),
    ]


def _normalised(name: str) -> str:
    return unicodedata.normalize("NFKC", str(name)).strip().casefold()[:150]


def _signed_device(name: str) -> str:
    return _signer().sign(f"{_account_digest(_normalised(name))}.{secrets.token_hex(8)}")


def _known_device(request: HttpRequest, account: str) -> str:
    """Return the device of the cookie if it has signed in to `account` before, else ""."""
    try:
        device = _signer().unsign(request.COOKIES.get(COOKIE, ""), max_age=COOKIE_AGE)
    except BadSignature:
        return ""
    digest = device.partition(".")[0]
    return device if constant_time_compare(digest, _account_digest(account)) else ""


def _account_digest(account: str) -> str:
    """Return a keyed hash that stands for the account in the cookie."""
    return salted_hmac("accounts.signin_guard.account", account, algorithm="sha256").hexdigest()[
        :32
    ]


def _signer() -> TimestampSigner:
    return TimestampSigner(salt="accounts.signin_guard.device")
