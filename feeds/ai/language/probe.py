"""Check whether the language model can be used, for `manage.py doctor`."""

from django.conf import settings

from ainews_site.infra import db_clock
from feeds.ai.language.admission import WARN_AT, share_spent
from feeds.ai.language.errors import LanguageModelError, ModelRefusedError
from feeds.ai.language.servers import endpoint
from feeds.models import LanguageServer

_CANNOT_LIST_MODELS = (404, 405, 501)


def problem() -> str:
    """Return what is wrong and what to do, or "". Queries the server."""
    return _server_problem() or _circuit_problem() or _budget_problem()


def _server_problem() -> str:
    from feeds.ai.language import wire

    try:
        names = wire.models(endpoint())
    except ModelRefusedError as error:
        return "" if error.status in _CANNOT_LIST_MODELS else str(error)
    except LanguageModelError as error:
        return f"{error} Check that it is running, and OPENAI_BASE_URL."
    if names and settings.LLM_MODEL not in names:
        some = ", ".join(names[:5])
        return (
            f"{endpoint().display_url} has no {settings.LLM_MODEL}: set LLM_MODEL to one of {some}."
        )
    return ""


def _circuit_problem() -> str:
    """The problem of a server whose circuit is open."""
    paused = LanguageServer.objects.filter(open_until__gt=db_clock.now()).first()
    return f"{paused} is paused: {paused.problem}" if paused else ""


def _budget_problem() -> str:
    if settings.LLM_MONTHLY_BUDGET and settings.LLM_MODEL not in settings.LLM_PRICES:
        return f"LLM_PRICES lacks {settings.LLM_MODEL}, so LLM_MONTHLY_BUDGET has no effect."
    share = share_spent(db_clock.now().date())
    if share < WARN_AT:
        return ""
    return (
        f"{share:.0%} of the month's budget of ${settings.LLM_MONTHLY_BUDGET:.2f} is spent. When it"
        " is used up, digests are extractive until next month. Raise LLM_MONTHLY_BUDGET to avoid"
        " that."
    )
