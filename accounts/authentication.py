"""Authenticates requests of the REST API by `Authorization: Bearer ain_…`."""

from datetime import UTC, timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.models import ApiToken, User, hash_token
from accounts.signin_guard import client_network
from accounts.token_guesses import guesses
from ainews_site.infra.db_router import try_to_write

_JOINED = (
    "SELECT u.*, t.id AS token_id, t.name AS token_name, t.created_at AS token_created_at,"
    " t.last_used_at AS token_last_used_at FROM accounts_apitoken t"
    " JOIN accounts_user u ON u.id = t.user_id WHERE t.token_hash = %s"
)
"""Each request of the API runs it. A queryset for it costs half a millisecond more."""


class ApiTokenAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, _, token = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() not in ("bearer", "token"):
            return None
        address = client_network(request._request)
        guesses.check(address)
        token_hash = hash_token(token)
        api_token = _token_of(token_hash)
        if api_token is None or not api_token.user.is_active:
            guesses.count(address, token_hash)
            raise AuthenticationFailed("Invalid API token.")
        now = timezone.now()
        # Record the use once a minute, which saves a write at most requests.
        if api_token.last_used_at is None or now - api_token.last_used_at > timedelta(minutes=1):
            row = ApiToken.objects.filter(pk=api_token.pk)
            try_to_write(lambda: row.update(last_used_at=now), key=("token", api_token.pk))
        return api_token.user, api_token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _token_of(token_hash: str) -> ApiToken | None:
    """The token with its user, or None if there is none."""
    user: Any = next(iter(User.objects.raw(_JOINED, [token_hash])), None)
    if user is None:
        return None
    own = user.__dict__
    token = ApiToken(
        pk=own.pop("token_id"),
        name=own.pop("token_name"),
        token_hash=token_hash,
        created_at=_aware(own.pop("token_created_at")),
        last_used_at=_aware(own.pop("token_last_used_at")),
    )
    # Django takes a relation that is set on a row without a database for the beginning of a write.
    token._state.adding, token._state.db = False, user._state.db
    token.user = user
    return token


def _aware(moment: Any) -> Any:
    """SQLite's times are naive, in UTC."""
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


class ApiTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes the authentication in the OpenAPI schema."""

    target_class = ApiTokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}
