"""Prints the receivers of Alertmanager that install.sh --monitoring was given, as YAML."""

import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

LOCAL_PORT = 25
TLS_PORT = 465
"""Alertmanager speaks TLS from the start at this port alone; at others it asks for STARTTLS."""


def mail(env: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of e-mails, sent by the server of EMAIL_URL or by this machine's."""
    url = urlsplit(env["EMAIL_URL"])
    is_tls = "tls" in url.scheme or "ssl" in url.scheme or url.scheme == "smtps"
    port = url.port or (587 if is_tls else LOCAL_PORT)
    settings: dict[str, Any] = {
        "to": env["ALERT_MAIL"],
        "from": env["EMAIL_FROM"] or f"AI News <ainews@{env['HOST']}>",
        "smarthost": f"{url.hostname or 'localhost'}:{port}",
        "require_tls": is_tls and port != TLS_PORT,
        "send_resolved": True,
    }
    if url.username:
        settings["auth_username"] = unquote(url.username)
        settings["auth_password"] = unquote(url.password or "")
    return settings


def receivers(env: Mapping[str, str]) -> list[dict[str, Any]]:
    channels: dict[str, Any] = {}
    if env["ALERT_MAIL"]:
        channels["email_configs"] = [mail(env)]
    if env["ALERT_WEBHOOK"]:
        channels["webhook_configs"] = [{"url": env["ALERT_WEBHOOK"], "send_resolved": True}]
    watchdog: dict[str, Any] = {"name": "watchdog"}
    if env["WATCHDOG"]:
        watchdog["webhook_configs"] = [{"url": env["WATCHDOG"], "send_resolved": False}]
    return [{"name": "mail", **channels}, {"name": "pager", **channels}, watchdog]


if __name__ == "__main__":
    print("receivers:")
    for receiver in receivers(os.environ):
        print(f"  - {json.dumps(receiver)}")
