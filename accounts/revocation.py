"""Revokes access that does not need the password: API tokens, and kinds that other apps register.

A new password does not end such access by itself, so the password form offers to revoke it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django import forms

from accounts.models import ApiToken, User

NOT_REVOKED = "API tokens and secret feed addresses still work."


@dataclass(frozen=True, slots=True)
class Revocable:
    """A kind of access that can be revoked.

    `count` returns how many of them a user has, and `revoke` ends all of them. `noun` and `done`
    are the words for one and for several, such as ("was revoked", "were revoked").
    """

    noun: tuple[str, str]
    done: tuple[str, str]
    count: Callable[[User], int]
    revoke: Callable[[User], None]


_kinds: list[Revocable] = []


def register(kind: Revocable) -> None:
    """Offer this kind on the password form. Call it from `AppConfig.ready`."""
    if kind not in _kinds:
        _kinds.append(kind)


def add_revoke_field(form: forms.Form, user: User) -> None:
    """Add the checkbox `revokes`, which is ticked, if the user has anything to revoke."""
    words = [f"{count} {_inflect(kind.noun, count)}" for kind, count in _counts(user)]
    if words:
        label = f"Revoke my {' and '.join(words)}"
        form.fields["revokes"] = forms.BooleanField(label=label, required=False, initial=True)


def revoke_if_chosen(form: forms.Form, user: User) -> str:
    """Revoke everything if the checkbox of `add_revoke_field` is ticked.

    Returns a sentence on what was done, or "" if there was nothing to revoke.
    """
    if "revokes" not in form.fields:
        return ""
    if not form.cleaned_data["revokes"]:
        return NOT_REVOKED
    words = []
    for kind, count in _counts(user):
        kind.revoke(user)
        words.append(f"{count} {_inflect(kind.noun, count)} {_inflect(kind.done, count)}")
    return f"{' and '.join(words)}." if words else ""


def _counts(user: User) -> list[tuple[Revocable, int]]:
    return [(kind, count) for kind in _kinds if (count := kind.count(user))]


def _inflect(words: tuple[str, str], count: int) -> str:
    return words[0] if count == 1 else words[1]


def _revoke_tokens(user: User) -> None:
    ApiToken.objects.filter(user=user).delete()


API_TOKENS = Revocable(
    ("API token", "API tokens"),
    ("was revoked", "were revoked"),
    lambda user: ApiToken.objects.filter(user=user).count(),
    _revoke_tokens,
)
