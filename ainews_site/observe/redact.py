"""Removes secrets from text that leaves the process: log lines, recorded errors, Sentry events.

Three things are removed. The secrets of the settings, wherever they are. Values whose name says
that they are secret, such as passwords and cookies. And what an address has besides its host,
because feeds, webhooks and sign-in links have secrets in their paths. E-mail addresses are personal
data and are removed too.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

HIDDEN = "[hidden]"
SHORTEST = 6
"""Shorter secrets are not searched for: they would hide ordinary words."""

_NAMES = (
    r"(?:password|passwd|pwd|secret|secret[-_ ]?key|api[-_ ]?key|access[-_ ]?key|auth[-_ ]?key"
    r"|license[-_ ]?key|session[-_ ]?key|signature|credentials?|dsn|sessionid"
    r"|csrfmiddlewaretoken|token)"
)
_HEADERS = r"(?:authorization|cookie)"
_IS = r"[\"']?\]?\s*[:=]\s*(?:b(?=[\"']))?[\"']?"
"""What stands between a name and its value, in a query, a dictionary or an assignment."""
_SECRET_NAME = re.compile(rf"[\w-]{{0,40}}?(?:{_NAMES}|{_HEADERS}s?)", re.IGNORECASE)
_ADDRESS = re.compile(r"\b([a-z][a-z0-9+.-]{1,20}://)([^\s\"'<>\\]+)", re.IGNORECASE)
# Each takes a time that is linear in the length of the text: others may have chosen it.
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A header has its value up to the end of the line or of the quotation.
    (re.compile(rf"({_HEADERS}{_IS})[^\"'\r\n}}]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(rf"({_NAMES}{_IS})[^\s\"',;&}})\]]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"\b(Bearer|Basic|Token)\s+[\w.~+/=-]{6,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"(/signin/|/digest/(?:feed|unsubscribe|confirm)/)[^\s\"'/?#]+"), rf"\1{HIDDEN}"),
    (re.compile(r"\b(?:ain_|sk-|xox[abprs]-)[\w-]{8,}"), HIDDEN),
    # PostgreSQL quotes the row that violates a constraint.
    (re.compile(r"(Key \([^)\n]{0,300}\)=|Failing row contains )[^\n]+"), rf"\1{HIDDEN}"),
    (re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+\b"), "[e-mail]"),
)
_known: re.Pattern[str] | None = None


def protect(values: Iterable[str]) -> None:
    """Hide these values from now on, also where they are percent-encoded."""
    global _known
    long_enough = {value for value in values if len(value) >= SHORTEST}
    forms = {form for value in long_enough for form in (value, quote(value, ""), quote_plus(value))}
    ordered = sorted(forms, key=len, reverse=True)
    _known = re.compile("|".join(map(re.escape, ordered))) if ordered else None


def redact(text: str) -> str:
    """Return `text` without secrets and e-mail addresses."""
    if _known is not None:
        text = _known.sub(HIDDEN, text)
    if "://" in text:
        text = _ADDRESS.sub(_host_only, text)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact_all(value: Any) -> Any:
    """Return a copy of nested data without secrets; values below a secret name are replaced."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {
            key: HIDDEN
            if isinstance(key, str) and _SECRET_NAME.fullmatch(key)
            else redact_all(part)
            for key, part in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [redact_all(part) for part in value]
    return value


def _host_only(match: re.Match[str]) -> str:
    """Return an address without user, password, path and query. `sqlite:///file` has no host."""
    scheme, rest = match.groups()
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if not authority:
        return match[0] if scheme.lower() in ("sqlite://", "file://", "unix://") else scheme + "…"
    host = authority.rpartition("@")[2]
    # Punctuation of the sentence that the address ends is not part of it.
    ending = rest[len(rest.rstrip(".,;:)]}")) :]
    if authority == rest:
        return scheme + host
    is_bare = rest[len(authority) :].rstrip(".,;:)]}") in ("", "/")
    return scheme + host + ("/" if is_bare else "/…") + ending
