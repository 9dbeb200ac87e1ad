"""Counts calls of language models by provider, which is the host of its address."""

from urllib.parse import urlsplit

from ainews_site.infra.metrics import LLM_CALLS, LLM_COST, LLM_TOKENS
from feeds.ai.language.types import Usage


def provider_of(server: str) -> str:
    """Return the provider of a server, whose name is `model at address`."""
    address = server.rpartition(" at ")[2]
    return urlsplit(address if "//" in address else f"//{address}").hostname or "unknown"


def count_use(server: str, used: Usage, dollars: float, *, has_failed: bool) -> None:
    """Count a call that has ended."""
    provider, outcome = provider_of(server), "failed" if has_failed else "ok"
    LLM_CALLS.add(1, provider, outcome)
    LLM_TOKENS.add(used.tokens_in, provider, "in", outcome)
    LLM_TOKENS.add(used.tokens_out, provider, "out", outcome)
    LLM_COST.add(dollars, provider, outcome)


def count_refusal(server: str) -> None:
    """Count a call that was not made."""
    LLM_CALLS.add(1, provider_of(server), "refused")
