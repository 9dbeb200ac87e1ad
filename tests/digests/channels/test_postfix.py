"""E-mail through a real Postfix: TLS, a mailbox, an unknown reader, and a server that is away."""

from email import message_from_bytes

import environ
import pytest
from django.conf import LazySettings

from ainews_site.doctor import run_check
from digests.models import Channel, Delivery
from tests.digests.channels.test_delivery import after, planned
from tests.digests.make import make_reader
from tests.postfix import DOMAIN, Postfix, postfix

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
State = Delivery.State
LONGEST_LINE = 998
"""Bytes, by RFC 5322."""


def configure(settings: LazySettings, server: Postfix, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what an operator sets. Postfix has a certificate of its own, as a CA would sign one."""
    monkeypatch.setenv("SSL_CERT_FILE", str(server.folder / "public.pem"))
    settings.SITE_URL = "https://news.example"
    settings.EMAIL_FROM = "AI News <news@news.example>"
    settings.EMAIL_URL = f"smtp+tls://localhost:{server.port}"
    for name, value in environ.Env.email_url_config(settings.EMAIL_URL).items():
        setattr(settings, name, value)


def test_an_edition_arrives_in_a_mailbox_over_tls(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postfix("ada") as server:
        configure(settings, server, monkeypatch)

        delivery = after(planned(make_reader(), "email", f"ada@{DOMAIN}", "A lab publishes 漢"))

        assert delivery.state == State.SENT
        (received,) = server.letters("ada")
        letter = message_from_bytes(received)
        assert letter["Return-Path"] == "<news@news.example>"
        assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert "with ESMTPS" in letter["Received"]
        assert letter.is_multipart()
        assert max(map(len, received.split(b"\n"))) < LONGEST_LINE


def test_an_unknown_mailbox_disables_the_channel(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postfix("ada") as server:
        configure(settings, server, monkeypatch)

        delivery = after(planned(make_reader(), "email", f"nobody@{DOMAIN}", "A lab publishes"))

        assert delivery.state == State.GIVEN_UP
        assert "550" in delivery.error
        delivery.channel.refresh_from_db()
        assert delivery.channel.state == Channel.State.DISABLED


def test_another_domain_is_not_relayed(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postfix("ada") as server:
        configure(settings, server, monkeypatch)

        delivery = after(planned(make_reader(), "email", "ada@elsewhere.example", "A lab"))

        assert delivery.state != State.SENT
        assert "454" in delivery.error or "554" in delivery.error


def test_an_edition_waits_for_a_server_that_is_away(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postfix("ada") as server:
        configure(settings, server, monkeypatch)
        assert run_check("mail") == ""

    delivery = after(planned(make_reader(), "email", f"ada@{DOMAIN}", "A lab publishes"))

    assert delivery.state == State.WAITING
    assert "cannot be reached" in delivery.error
    assert "cannot be reached" in run_check("mail")
