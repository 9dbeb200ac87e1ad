"""The configured server of a language model, and the features that it lacks."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction

from ainews_site.infra import db_clock
from feeds.ai.language.types import Endpoint
from feeds.models import LanguageServer

LACKS_EXPIRE_AFTER = timedelta(days=7)
"""After this time all features are tried again, because the server may have been updated."""


def endpoint() -> Endpoint:
    return Endpoint(
        settings.OPENAI_BASE_URL,
        settings.OPENAI_API_KEY,
        settings.LLM_CONNECT_TIMEOUT,
        settings.LLM_TIMEOUT,
    )


def server_of(model: str) -> LanguageServer:
    """Get or create the row of the configured server and this model."""
    server, _ = LanguageServer.objects.get_or_create(
        name=f"{model} at {endpoint().display_url}"[:600]
    )
    if server.lacks_since and server.lacks_since < db_clock.now() - LACKS_EXPIRE_AFTER:
        server.lacks, server.lacks_since = [], None
        server.save(update_fields=["lacks", "lacks_since"])
    return server


def store_lacks(server: LanguageServer, lacks: set[str]) -> None:
    """Store the features that a server rejected, after it has answered a request without them."""
    with transaction.atomic():
        row = LanguageServer.objects.select_for_update().get(pk=server.pk)
        row.lacks, row.lacks_since = sorted({*row.lacks, *lacks}), db_clock.now()
        row.save(update_fields=["lacks", "lacks_since"])
