"""Rows on settings: environment, secrets, origins, limits."""

import os
import stat
from pathlib import Path

from django.conf import settings
from django.core.checks import run_checks

from ainews_site.infra.places import env_file
from ainews_site.production.row import Outcome, not_done, ok, warning

SHORTEST_KEY, FEWEST_CHARACTERS = 50, 5
"""The limits of Django's `check --deploy`."""


def environment() -> Outcome:
    if settings.DEBUG:
        return not_done(
            "DEBUG is on, so that errors show settings and code.", "Remove DEBUG from .env."
        )
    missing = [name for name in ("SITE_URL", "DATABASE_URL") if not os.environ.get(name)]
    if missing:
        return not_done(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set.",
            "Set them in .env; see .env.example.",
        )
    if messages := run_checks():
        return warning(str(messages[0].msg), str(messages[0].hint or "Correct the setting."))
    return ok(f"{settings.SITE_URL}, and no setting is reported as wrong.")


def secrets() -> Outcome:
    """Check the strength of SECRET_KEY, and who may read the files that have secrets."""
    key = settings.SECRET_KEY
    if len(key) < SHORTEST_KEY or len(set(key)) < FEWEST_CHARACTERS:
        return not_done(
            "SECRET_KEY can be guessed.",
            "Leave it empty to have one generated, or set one of 50 random characters.",
        )
    for file in (env_file(), settings.DATA / "secret_key"):
        if problem := readers_of(file):
            return not_done(
                f"{file} can be read by {problem}.", f"Run chmod 600 {file}, and renew its secrets."
            )
    if folder := os.environ.get("CREDENTIALS_DIRECTORY"):
        return ok(f"Secrets come from the credentials of systemd in {folder}.")
    return ok("SECRET_KEY is strong, and nobody else can read the files with secrets.")


def readers_of(file: Path) -> str:
    """Return who may read the file but should not, or "".

    deploy/install.sh gives `.env` to root, and lets the account of the service read it.
    """
    if not file.is_file():
        return ""
    facts = file.stat()
    if facts.st_mode & stat.S_IROTH:
        return "everybody on this machine"
    is_for_service = facts.st_uid == 0 and facts.st_gid == service_group()
    return "its group" if facts.st_mode & stat.S_IRGRP and not is_for_service else ""


def service_group() -> int:
    """Return the group of the account that AI News runs as, which owns its data."""
    return settings.DATA.stat().st_gid


def origins() -> Outcome:
    """Check which other sites may call the API from a browser."""
    allowed = list(getattr(settings, "CORS_ALLOWED_ORIGINS", ()))
    if getattr(settings, "CORS_ALLOW_ALL_ORIGINS", False) or "*" in allowed:
        return not_done(
            "Every site may call the API.", "Name the origins of your own pages in .env."
        )
    if "*" in settings.ALLOWED_HOSTS:
        return not_done(
            "ALLOWED_HOSTS allows every host.", "Name the hosts of the site in ALLOWED_HOSTS."
        )
    plain = [origin for origin in allowed if origin.startswith("http:")]
    if plain and settings.SITE_URL.startswith("https:"):
        return warning(f"{plain[0]} may call the API without TLS.", "Use its https address.")
    if allowed:
        return ok(f"{', '.join(allowed)} may call the API from a browser, and nobody else.")
    return ok("Only pages of the site itself may call the API from a browser.")


def limits() -> Outcome:
    """Check the limits of requests. Those of sign-in can't be turned off."""
    if not settings.COSTLY_AT_ONCE:
        return not_done(
            "One reader may run any number of searches and questions at once.",
            "Set COSTLY_AT_ONCE=1.",
        )
    if unlimited := [name for name, quota in settings.QUOTAS.items() if not quota]:
        return warning(
            f"There is no quota of {', '.join(unlimited)}.", "Set QUOTA_… to more than 0."
        )
    if settings.SITE_URL and not settings.TRUSTED_PROXIES:
        return warning(
            "Requests are not told apart by address if a proxy passes them on.",
            "Set TRUSTED_PROXIES to the address of the proxy.",
        )
    return ok(
        f"{settings.COSTLY_AT_ONCE} costly request of a reader at once, quotas for each reader,"
        " and limits of sign-in by address."
    )
