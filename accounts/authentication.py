"""`Authorization: Bearer ain_…` for the REST API."""

from datetime import timedelta
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


class ApiTokenAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, _, token = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() not in ("bearer", "token"):
            return None
        address = client_network(request._request)
        guesses.check(address)
        token_hash = hash_token(token)
        found = ApiToken.objects.select_related("user").filter(token_hash=token_hash).first()
        if found is None or not found.user.is_active:
            guesses.count(address, token_hash)
            raise AuthenticationFailed("Invalid API token.")
        now = timezone.now()
        # Once a minute is enough to say when it was used, and spares a write a request.
        if found.last_used_at is None or now - found.last_used_at > timedelta(minutes=1):
            own = ApiToken.objects.filter(pk=found.pk)
            try_to_write(lambda: own.update(last_used_at=now), key=("token", found.pk))
        return found.user, found

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class ApiTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """What the OpenAPI schema says of it."""

    target_class = ApiTokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}
