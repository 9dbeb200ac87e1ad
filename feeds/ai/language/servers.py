"""What is known of a model's server: where it is, and what it cannot do."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction

from ainews_site.infra import db_clock
from feeds.ai.language.types import Endpoint
from feeds.models import LanguageServer

FORGOTTEN_AFTER = timedelta(days=7)
"""Then the server, which may be a newer one, is tried with everything again."""


def endpoint() -> Endpoint:
    return Endpoint(
        settings.OPENAI_BASE_URL,
        settings.OPENAI_API_KEY,
        settings.LLM_CONNECT_TIMEOUT,
        settings.LLM_TIMEOUT,
    )


def server_of(model: str) -> LanguageServer:
    """Its row, made at the first call."""
    server, _ = LanguageServer.objects.get_or_create(name=f"{model} at {endpoint().place}"[:600])
    if server.lacks_since and server.lacks_since < db_clock.now() - FORGOTTEN_AFTER:
        server.lacks, server.lacks_since = [], None
        server.save(update_fields=["lacks", "lacks_since"])
    return server


def remember_lacks(server: LanguageServer, lacks: set[str]) -> None:
    """Keep what the server has refused, as soon as it has answered without."""
    with transaction.atomic():
        held = LanguageServer.objects.select_for_update().get(pk=server.pk)
        held.lacks, held.lacks_since = sorted({*held.lacks, *lacks}), db_clock.now()
        held.save(update_fields=["lacks", "lacks_since"])
