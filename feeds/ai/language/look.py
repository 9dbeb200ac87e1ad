"""Whether the language model can be used now, for `doctor`."""

from django.conf import settings

from ainews_site.infra import db_clock
from feeds.ai.language.admission import WARN_AT, share_spent
from feeds.ai.language.errors import LanguageModelError, ModelRefusedError
from feeds.ai.language.servers import endpoint
from feeds.models import LanguageServer

_NO_LIST = (404, 405, 501)


def problem() -> str:
    """A sentence on what is wrong and what to do, else empty. Asks the server."""
    return _server() or _known() or _money()


def _server() -> str:
    from feeds.ai.language import wire

    try:
        names = wire.models(endpoint())
    except ModelRefusedError as error:
        return "" if error.status in _NO_LIST else str(error)
    except LanguageModelError as error:
        return f"{error} Check that it is running, and OPENAI_BASE_URL."
    if names and settings.LLM_MODEL not in names:
        some = ", ".join(names[:5])
        return f"{endpoint().place} has no {settings.LLM_MODEL}: set LLM_MODEL to one of {some}."
    return ""


def _known() -> str:
    """What the last calls met."""
    closed = LanguageServer.objects.filter(open_until__gt=db_clock.now()).first()
    return f"{closed} is paused: {closed.problem}" if closed else ""


def _money() -> str:
    if settings.LLM_MONTHLY_BUDGET and settings.LLM_MODEL not in settings.LLM_PRICES:
        return f"LLM_PRICES lacks {settings.LLM_MODEL}, so LLM_MONTHLY_BUDGET has no effect."
    share = share_spent(db_clock.now().date())
    if share < WARN_AT:
        return ""
    return (
        f"{share:.0%} of the month's ${settings.LLM_MONTHLY_BUDGET:.2f} are spent. Once all of it"
        " is, digests are extractive until next month. Raise LLM_MONTHLY_BUDGET if you like."
    )
