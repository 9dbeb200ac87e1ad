"""Sends unexpected errors to Sentry, or a server that speaks its protocol, if SENTRY_DSN is set.

Only what is logged as an error is sent: the type, the message and the places of an exception, and
the ids of the request and the task. Requests, cookies, variables, users and queries are not.
"""

from typing import TYPE_CHECKING, Any

from ainews_site.observe.context import ids
from ainews_site.observe.redact import redact_all

if TYPE_CHECKING:
    from sentry_sdk.types import Event

UNSENT = ("request", "user", "extra", "modules", "server_name", "breadcrumbs", "threads")
OURS = ("release", "environment", "event_id", "timestamp", "platform", "level")
"""Parts that are never secret, though some look as if they were."""
AT_EXIT = 2
"""Seconds that a process spends at its end to send what is left."""


def start(dsn: str, environment: str, release: str) -> None:
    """Import and start sentry-sdk. It sends in a thread, also after a fork."""
    import sentry_sdk
    from sentry_sdk.integrations.atexit import AtexitIntegration
    from sentry_sdk.integrations.dedupe import DedupeIntegration
    from sentry_sdk.integrations.excepthook import ExcepthookIntegration
    from sentry_sdk.integrations.logging import LoggingIntegration
    from sentry_sdk.integrations.threading import ThreadingIntegration

    sentry_sdk.init(
        dsn=dsn,
        environment=environment,
        release=release,
        default_integrations=False,  # they record requests, queries and addresses
        auto_enabling_integrations=False,
        integrations=[
            LoggingIntegration(level=None),
            ExcepthookIntegration(),
            ThreadingIntegration(propagate_hub=False),
            DedupeIntegration(),
            AtexitIntegration(callback=lambda pending, timeout: None),
        ],
        before_send=scrub,
        send_default_pii=False,
        include_local_variables=False,
        include_source_context=True,
        max_breadcrumbs=0,
        max_request_body_size="never",
        auto_session_tracking=False,
        send_client_reports=False,
        shutdown_timeout=AT_EXIT,
    )


def scrub(event: "Event", hint: dict[str, Any]) -> "Event | None":
    """Return the event without secrets and personal data, and with our ids."""
    clean: Any = {name: value for name, value in event.items() if name not in UNSENT}
    clean = redact_all(clean)
    for exception in (clean.get("exception") or {}).get("values") or ():
        for frame in (exception.get("stacktrace") or {}).get("frames") or ():
            frame.pop("vars", None)
    clean |= {name: value for name, value in event.items() if name in OURS}
    clean["tags"] = (clean.get("tags") or {}) | ids()
    result: Event = clean
    return result
