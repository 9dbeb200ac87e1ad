"""E-mail: editions in HTML and text, and the e-mail that confirms an address."""

import re
import smtplib
from email.charset import QP, Charset
from email.utils import format_datetime, parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.validators import EmailValidator
from django.template.loader import render_to_string
from django.utils import timezone

from ainews_site.infra import db_clock
from digests.channels.chat_text import one_line
from digests.channels.errors import DeliveryError
from digests.channels.kind import ChannelKind, Newest, Send
from digests.channels.links import CONFIRM, UNSUBSCRIBE, absolute, digest_path, token_for
from digests.channels.plain_text import as_text
from digests.channels.titles import title_of
from digests.models import Channel, Digest

UTF8 = Charset("utf-8")
UTF8.body_encoding = QP
"""Quoted-printable, because some servers reject long lines and 8-bit characters."""
LONGEST_SUBJECT = 120
NO_MAILBOX = (550, 551, 553)
"""SMTP codes for a mailbox that does not exist."""


class Mail(ChannelKind):
    name, label = "email", "E-mail"
    confirmation = "confirmation e-mail"

    def problem(self, *, for_staff: bool = False) -> str:
        return mail_problem(for_staff=for_staff)

    def clean_target(self, target: str) -> str:
        validate_email(target)
        return target

    def prepare(self, channel: Channel, digest: Digest, delivery_id: str) -> Send:
        if problem := mail_problem():
            raise DeliveryError(problem)
        message = edition_email(channel, digest, delivery_id)
        return lambda: send_email(message)

    def prepare_test(self, channel: Channel, newest: Newest) -> Send:
        """Send the newest edition, because spam filters judge the content."""
        if problem := mail_problem():
            raise DeliveryError(problem)
        if channel.state != Channel.State.ACTIVE:
            raise DeliveryError("This address has not been confirmed yet.")
        return self.prepare(
            channel, newest(), f"test-{channel.pk}-{db_clock.now().timestamp():.0f}"
        )

    def prepare_confirmation(self, channel: Channel) -> Send:
        message = confirmation_email(channel)
        return lambda: send_email(message)


KIND = Mail()
validate_email = EmailValidator("Enter an e-mail address such as name@example.org.")


def mail_problem(*, for_staff: bool = False) -> str:
    """Why e-mail cannot be sent, or "". Only staff see which settings are missing."""
    missing_settings = [
        name for name in ("EMAIL_URL", "EMAIL_FROM", "SITE_URL") if not _is_set(name)
    ]
    if not missing_settings:
        return ""
    missing = f" Set {' and '.join(missing_settings)}." if for_staff else ""
    return f"E-mail isn't set up on this server.{missing}"


def _is_set(name: str) -> bool:
    return bool(getattr(settings, name))


def edition_email(channel: Channel, digest: Digest, delivery_id: str) -> EmailMultiAlternatives:
    """Build the e-mail of an edition, with one-click unsubscription (RFC 8058)."""
    unsubscribe = absolute("digest_unsubscribe", token=token_for(channel, UNSUBSCRIBE))
    context = {
        "digest": digest,
        "edition": digest.content,
        "title": title_of(digest),
        "site": settings.SITE_URL,
        "page": settings.SITE_URL + digest_path(digest),
        "unsubscribe": unsubscribe,
    }
    text = as_text(digest, settings.SITE_URL)
    text += f"\nView online: {context['page']}\nUnsubscribe: {unsubscribe}\n"
    email = _build(channel.target, _subject(digest), text, "digests/mail.html", context)
    email.extra_headers |= {
        "Message-ID": _message_id(delivery_id),
        "List-Id": f"AI News digest <digest.{_domain()}>",
        "List-Unsubscribe": f"<{unsubscribe}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    return email


def confirmation_email(channel: Channel) -> EmailMultiAlternatives:
    """Build the e-mail that asks the owner of an address to confirm it.

    The reader may have entered somebody else's address, so it says little.
    """
    link = absolute("digest_confirm", token=token_for(channel, CONFIRM))
    text = (
        "Someone, probably you, asked AI News to send a news digest to this address.\n\n"
        f"To confirm, open this link within three days:\n{link}\n\n"
        "If you don't want it, ignore this e-mail. You won't receive another.\n"
    )
    subject = "Confirm the AI News digest by e-mail"
    return _build(channel.target, subject, text, "digests/mail_confirm.html", {"link": link})


def _build(
    to: str, subject: str, text: str, template: str, context: dict[str, Any]
) -> EmailMultiAlternatives:
    headers = {"Date": format_datetime(timezone.now()), "Auto-Submitted": "auto-generated"}
    message = EmailMultiAlternatives(subject, text, settings.EMAIL_FROM, [to], headers=headers)
    message.encoding = UTF8
    message.attach_alternative(render_to_string(template, context), "text/html")
    return message


def _subject(digest: Digest) -> str:
    """The date and the first headline, on one line and shortened."""
    stories = digest.content["stories"]
    day = f"{digest.date:%a %-d %b}"
    if not stories:
        return f"{day}: a quiet day"
    headline = " ".join(
        "".join(c if c.isprintable() else " " for c in stories[0]["headline"]).split()
    )
    if len(headline) > LONGEST_SUBJECT:
        headline = headline[: LONGEST_SUBJECT - 1].rstrip() + "…"
    more = len(stories) - 1
    return f"{day}: {headline}" + (f" and {more} more" if more else "")


def _domain() -> str:
    return parseaddr(settings.EMAIL_FROM)[1].rpartition("@")[2] or "localhost"


def _message_id(delivery_id: str) -> str:
    """A Message-ID that stays the same on retries, so that mail programs can detect duplicates.
    It contains the site's host without the colon of a port, which is not allowed there."""
    parts = re.findall(r"[\w-]+", settings.SITE_URL.partition("://")[2])
    return f"<{'.'.join([delivery_id, *parts])}@{_domain()}>"


def send_email(message: EmailMultiAlternatives) -> None:
    """Send an e-mail. Raises DeliveryError unless the mail server accepted it."""
    connection = get_connection()
    try:
        connection.open()
    except (OSError, smtplib.SMTPException) as error:
        raise DeliveryError(connection_error(error)) from None
    try:
        connection.send_messages([message])
    except smtplib.SMTPRecipientsRefused as error:
        raise _refused(*next(iter(error.recipients.values()))) from None
    except smtplib.SMTPResponseException as error:
        raise _refused(error.smtp_code, error.smtp_error) from None
    except (OSError, smtplib.SMTPException):
        error_text = "The mail server closed the connection before confirming the e-mail."
        raise DeliveryError(error_text, may_have_arrived=True) from None
    finally:
        connection.close()


def connection_error(error: Exception) -> str:
    """Describe why the mail server cannot be reached, for readers and operators."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return "The mail server rejected the user name or password in EMAIL_URL."
    return "The mail server cannot be reached or did not respond as expected."


def _refused(code: int, answer: bytes | str) -> DeliveryError:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    error_text = f"The mail server rejected the e-mail ({code}: {one_line(text)[:120]})."
    is_gone = code in NO_MAILBOX
    return DeliveryError(error_text, is_final=code >= 500, is_gone=is_gone)
