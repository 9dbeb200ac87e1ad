"""The form that adds a channel."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from accounts.models import User
from accounts.quotas import CHANNELS
from digests import channels
from digests.channels.kind import ChannelKind
from digests.models import Channel

LONGEST_TARGET = 2_000
"""Bytes of an address. PostgreSQL limits the size of indexed values."""


def kind_choices() -> list[tuple[str, str]]:
    return [(kind.name, kind.label) for kind in channels.KINDS]


class ChannelForm(forms.Form):
    kind = forms.ChoiceField(label="Type", choices=kind_choices)
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
        first = next((kind.name for kind in channels.KINDS if not kind.problem()), None)
        super().__init__(data, initial={"target": user.email, "kind": first})
        self.user = user
        target = self.fields["target"]
        hints = (kind.target_help for kind in channels.KINDS)
        target.help_text = " ".join(filter(None, [str(target.help_text), *hints]))

    def clean(self) -> None:
        if "kind" not in self.cleaned_data:
            return
        kind = channels.kind_named(self.cleaned_data["kind"])
        try:
            self.cleaned_data["target"] = self._target(kind, self.cleaned_data.get("target", ""))
        except ValidationError as error:
            self.add_error("target", error)
            return
        if problem := CHANNELS.problem(self.user.channels.count()):
            self.add_error(None, problem)
        elif self.user.channels.filter(**self._row()).exists():
            self.add_error("target", "You already have this channel.")

    def _target(self, kind: ChannelKind, target: str) -> str:
        if len(target.encode()) > LONGEST_TARGET:
            raise ValidationError("The address is too long.")
        if problem := kind.problem(for_staff=self.user.is_staff):
            raise ValidationError(problem)
        return kind.clean_target(target) if kind.takes_target else ""

    def _row(self) -> dict[str, Any]:
        return {
            "kind": self.cleaned_data["kind"],
            "is_global": self.cleaned_data.get("which") == "global",
            "target": self.cleaned_data["target"],
        }

    def save(self) -> Channel:
        """Create the channel. If its kind needs a confirmation, it starts unconfirmed, because
        the address may be somebody else's."""
        row = self._row()
        needs_confirmation = channels.kind_named(row["kind"]).confirmation
        state = Channel.State.UNCONFIRMED if needs_confirmation else Channel.State.ACTIVE
        # A double click sends the form twice, and both requests may pass the validation.
        channel, _ = Channel.objects.get_or_create(user=self.user, **row, defaults={"state": state})
        return channel
