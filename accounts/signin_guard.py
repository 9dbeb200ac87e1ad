"""The throttle of signing in by name and password.

Attempts are counted by account and address together, by address, and, with a higher ceiling,
by account, so that no stranger can lock a reader out from where the reader is. A browser that
has signed in before carries a cookie that says so; it is counted on its own and is let in even
while others guess from everywhere.

The guard stands before Django's authentication backends, so that every form that calls
`authenticate` is covered: the page, the admin, and whatever comes later.
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
from accounts.throttle import forget, give_back, take

BY_ACCOUNT_AND_ADDRESS = Limit("account and address", free=5)
BY_ADDRESS = Limit("address", free=20)
BY_ACCOUNT = Limit("account", free=50, longest=300)
BY_DEVICE = Limit("device", free=10)

COOKIE = "device"
COOKIE_AGE = 365 * 24 * 3600


class SigninGuard:
    """An authentication backend that knows nobody: it raises TooMany, or leaves the answer to
    the backends after it. It has no `get_user`, so that Django keeps it in no session."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> None:
        name = next((credentials[key] for key in ("username", "email") if credentials.get(key)), "")
        if request is None or not name or "password" not in credentials:
            return
        counters = _counters(request, name)
        take(*counters)
        request.counted_attempts = counters  # type: ignore[attr-defined]


@receiver(user_logged_in, dispatch_uid="accounts.signin_guard")
def remember_signin(request: HttpRequest | None, user: User, **_: Any) -> None:
    """Correct what this request counted, and have the browser remembered."""
    if request is None:
        return
    if counted := getattr(request, "counted_attempts", []):
        first, *others = counted
        forget(first)
        give_back(*others)
    request.signed_in_device = _signed_device(user.get_username())  # type: ignore[attr-defined]


def take_back_signin(request: HttpRequest) -> None:
    """Take back what this request counted, as its password was not looked at."""
    if counted := getattr(request, "counted_attempts", []):
        give_back(*counted)


def set_device_cookie(request: HttpRequest, response: HttpResponse) -> None:
    """Have the browser carry what `remember_signin` made, if this request signed in."""
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
    """The address that a request came from; of IPv6 the network, as everybody has 2**64 addresses
    of it."""
    written = request.META.get("REMOTE_ADDR", "")
    try:
        address = ip_address(written)
    except ValueError:  # a Unix socket has none
        return str(written)
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
    return _signer().sign(f"{_account_mark(_normalised(name))}.{secrets.token_hex(8)}")


def _known_device(request: HttpRequest, account: str) -> str:
    """The device that the cookie names, if it signed in to this account before."""
    try:
        device = _signer().unsign(request.COOKIES.get(COOKIE, ""), max_age=COOKIE_AGE)
    except BadSignature:
        return ""
    mark = device.partition(".")[0]
    return device if constant_time_compare(mark, _account_mark(account)) else ""


def _account_mark(account: str) -> str:
    """Names the account in the cookie without its name."""
    return salted_hmac("accounts.signin_guard.account", account, algorithm="sha256").hexdigest()[
        :32
    ]


def _signer() -> TimestampSigner:
    return TimestampSigner(salt="accounts.signin_guard.device")
