"""What lets programs in without the password: API tokens, and what other apps register.

A new password does not end these by itself, so the form that sets one offers to revoke them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django import forms

from accounts.models import ApiToken, User

KEPT = "API tokens and secret feed addresses still work."


@dataclass(frozen=True, slots=True)
class Revocable:
    """A kind of access. `count` tells how many of them a user has, `revoke` ends them; `noun` and
    `done` are words for one and for several."""

    noun: tuple[str, str]
    done: tuple[str, str]
    count: Callable[[User], int]
    revoke: Callable[[User], None]


_kinds: list[Revocable] = []


def register(kind: Revocable) -> None:
    """Have new passwords offer to revoke this kind. Called from `AppConfig.ready`."""
    if kind not in _kinds:
        _kinds.append(kind)


def add_offer(form: forms.Form, user: User) -> None:
    """Add the field `revokes`, ticked, where there is something to revoke."""
    words = [f"{count} {_form_of(kind.noun, count)}" for kind, count in _counts(user)]
    if words:
        label = f"Revoke my {' and '.join(words)}"
        form.fields["revokes"] = forms.BooleanField(label=label, required=False, initial=True)


def take_offer(form: forms.Form, user: User) -> str:
    """Revoke everything if the field was ticked. Returns a sentence on what was done, empty where
    there was nothing to revoke."""
    if "revokes" not in form.fields:
        return ""
    if not form.cleaned_data["revokes"]:
        return KEPT
    words = []
    for kind, count in _counts(user):
        kind.revoke(user)
        words.append(f"{count} {_form_of(kind.noun, count)} {_form_of(kind.done, count)}")
    return f"{' and '.join(words)}." if words else ""


def _counts(user: User) -> list[tuple[Revocable, int]]:
    return [(kind, count) for kind in _kinds if (count := kind.count(user))]


def _form_of(words: tuple[str, str], count: int) -> str:
    return words[0] if count == 1 else words[1]


def _revoke_tokens(user: User) -> None:
    ApiToken.objects.filter(user=user).delete()


API_TOKENS = Revocable(
    ("API token", "API tokens"),
    ("was revoked", "were revoked"),
    lambda user: ApiToken.objects.filter(user=user).count(),
    _revoke_tokens,
)
