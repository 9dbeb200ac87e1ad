"""The form by which a reader adds a channel."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts.models import User
from digests.channels.posting import guard
from digests.channels.send import mail_problem
from digests.models import Channel
from feeds.ingest.errors import FeedError

MOST_CHANNELS = 10
LONGEST_TARGET = 2_000
"""Bytes: what an index of PostgreSQL takes."""


class ChannelForm(forms.Form):
    kind = forms.ChoiceField(label="Type", choices=Channel.Kind.choices)
    which = forms.ChoiceField(
        label="Digest", choices=[("own", "My digest"), ("global", "Site digest")]
    )
    target = forms.CharField(
        label="Address",
        max_length=2048,
        required=False,
        help_text="An e-mail address, or the service's webhook URL. Leave empty for a feed.",
    )

    def __init__(self, user: User, data: Any = None) -> None:
        first = Channel.Kind.FEED if mail_problem() else Channel.Kind.EMAIL
        super().__init__(data, initial={"target": user.email, "kind": first})
        self.user = user

    def clean(self) -> None:
        kind, target = self.cleaned_data.get("kind"), self.cleaned_data.get("target", "")
        if kind is None:
            return
        if problem := self._problem(kind, target):
            self.add_error("target", problem)
        elif self.user.channels.count() >= MOST_CHANNELS:
            self.add_error(
                None, f"You already have {MOST_CHANNELS} channels, the maximum. Remove one first."
            )
        elif self.user.channels.filter(**self._row()).exists():
            self.add_error("target", "You already have this channel.")

    def _problem(self, kind: str, target: str) -> str:
        if kind == Channel.Kind.FEED:
            return ""
        if len(target.encode()) > LONGEST_TARGET:
            return "The address is too long."
        if kind == Channel.Kind.EMAIL:
            return mail_problem(for_staff=self.user.is_staff) or _address_problem(target)
        try:
            guard().check_url(target)
        except FeedError as error:
            return str(error)
        return ""

    def _row(self) -> dict[str, Any]:
        kind = self.cleaned_data["kind"]
        return {
            "kind": kind,
            "is_global": self.cleaned_data.get("which") == "global",
            "target": "" if kind == Channel.Kind.FEED else self.cleaned_data["target"],
        }

    def save(self) -> Channel:
        """A mail address may be somebody else's: it carries nothing until they say so."""
        row = self._row()
        is_mail = row["kind"] == Channel.Kind.EMAIL
        state = Channel.State.UNCONFIRMED if is_mail else Channel.State.ACTIVE
        # A double click sends the form twice, and both may have found it free.
        channel, _ = Channel.objects.get_or_create(user=self.user, **row, defaults={"state": state})
        return channel


def _address_problem(target: str) -> str:
    try:
        validate_email(target)
    except ValidationError:
        return "Enter an e-mail address such as name@example.org."
    return ""
