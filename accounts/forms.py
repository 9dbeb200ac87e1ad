"""The forms of sign-in and of each section of the preferences."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.db import transaction

from accounts.limits import Counter, Limit
from accounts.models import User
from accounts.quotas import TOKENS
from accounts.throttle import count_attempt, reset_attempts

if TYPE_CHECKING:
    UserForm = forms.ModelForm[User]
else:  # ModelForm takes no type argument when it runs
    UserForm = forms.ModelForm

LEVELS = ("mute", "less", "normal", "more")
HOURS = [(hour, f"{hour:02}:00") for hour in range(24)]
OLD_PASSWORD = Limit("old password", free=5)


class SigninForm(AuthenticationForm):
    error_messages = {
        "invalid_login": "Wrong username or password.",
        "inactive": "This account is disabled.",
    }


class OldPasswordForm(PasswordChangeForm):
    """Changes the password of a user who knows the old one.

    Guesses are throttled, so that nobody can find the password from an open session.
    """

    def clean_old_password(self) -> str:
        guesses = Counter(OLD_PASSWORD, str(self.user.pk))
        count_attempt(guesses)
        old_password: str = super().clean_old_password()
        reset_attempts(guesses)
        return old_password


class ReadingForm(UserForm):
    class Meta:
        model = User
        fields = ["theme", "density", "text_size", "keys_enabled"]
        labels = {"text_size": "Text size", "keys_enabled": "Keyboard shortcuts"}


class DigestForm(UserForm):
    """The schedule of digests. `days` is used only if `often` is "chosen"."""

    EVERY_DAY, WEEKDAYS = "0123456", "01234"
    OFTEN = (
        (EVERY_DAY, "Every day"),
        (WEEKDAYS, "Monday to Friday"),
        ("chosen", "On selected days"),
        ("", "Only when I ask"),
    )
    DAYS = tuple(enumerate(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")))

    often = forms.ChoiceField(
        label="Schedule", choices=OFTEN, widget=forms.RadioSelect, required=False
    )
    days = forms.TypedMultipleChoiceField(
        label="Days",
        choices=DAYS,
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="Each edition covers the time since the previous one, up to a week.",
    )
    digest_hour = forms.TypedChoiceField(label="Hour", choices=HOURS, coerce=int)
    field_order = ["often", "days", "digest_hour", "time_zone"]

    class Meta:
        model = User
        fields = ["digest_hour", "time_zone"]
        labels = {"time_zone": "Time zone"}

    def __init__(self, data: Any = None, *, instance: User) -> None:
        super().__init__(data, instance=instance)
        days = instance.digest_days
        self.initial["often"] = days if days in ("", self.EVERY_DAY, self.WEEKDAYS) else "chosen"
        self.initial["days"] = [int(day) for day in days]

    def clean_time_zone(self) -> str:
        zone = str(self.cleaned_data["time_zone"])
        if zone not in available_timezones():
            raise forms.ValidationError("Unknown time zone. Use a name such as Europe/Berlin.")
        return zone

    def clean(self) -> None:
        chosen = "".join(str(day) for day in sorted(self.cleaned_data.get("days", [])))
        if self.cleaned_data.get("often") == "chosen" and not chosen:
            self.add_error("days", "Choose at least one day, or “Only when I ask”.")

    def save(self, commit: bool = True) -> User:
        """Save the schedule. The days stay as they are if the form was sent without a schedule."""
        if "often" in self.data:
            often = self.cleaned_data["often"]
            days = "".join(str(day) for day in sorted(self.cleaned_data["days"]))
            self.instance.digest_days = days if often == "chosen" else often
        return super().save(commit)


@dataclass(frozen=True, slots=True)
class Interest:
    """A topic on the page: the name of its field, the saved level and the one to show."""

    name: str
    label: str
    level: str
    shown: str
    error: str = ""


class InterestsForm(forms.Form):
    """A choice of a level for each topic. `topics` have a slug, a label and a group.

    The page contains the initial value of each field, so that `save` knows what was changed. Only a
    submitted form has fields: they cost more than the page, which needs the levels alone.
    """

    levels = tuple((level, level.capitalize()) for level in LEVELS)

    def __init__(self, user: User, topics: Sequence[Any], data: Any = None) -> None:
        super().__init__(data)
        self.user = user
        self.topics = topics
        for topic in topics if data is not None else ():
            self.fields[f"topic-{topic.slug}"] = forms.ChoiceField(
                label=topic.label,
                choices=self.levels,
                required=False,
                initial=user.interests.get(topic.slug, "normal"),
                show_hidden_initial=True,
            )

    def groups(self) -> list[tuple[str, list[Interest], list[str], bool]]:
        """For each group its name, topics, labels of those that are not normal, and whether it has
        errors."""
        groups = []
        for name, topics in groupby(self.topics, key=lambda topic: topic.group):
            rows = [self._interest(topic) for topic in topics]
            chosen = [f"{row.label}: {row.level}" for row in rows if row.level != "normal"]
            groups.append((name, rows, chosen, any(row.error for row in rows)))
        return groups

    def _interest(self, topic: Any) -> Interest:
        name = f"topic-{topic.slug}"
        level = self.user.interests.get(topic.slug, "normal")
        shown = self.data.get(name, level) if self.is_bound else level
        error = " ".join(map(str, self.errors.get(name, []))) if self.is_bound else ""
        return Interest(name, topic.label, level, shown, error)

    @transaction.atomic
    def save(self) -> None:
        """Save the topics that were changed in the form.

        The others stay as they are, because another page may have changed them meanwhile.
        """
        user = User.objects.select_for_update().get(pk=self.user.pk)
        for name in self.changed_data:
            slug, level = name.removeprefix("topic-"), self.cleaned_data[name]
            user.interests.pop(slug, None)
            if level not in ("", "normal"):
                user.interests[slug] = level
        user.save(update_fields=["interests"])
        self.user.interests = user.interests


class TokenForm(forms.Form):
    name = forms.CharField(max_length=100, label="Token name")

    def __init__(self, user: User, data: Any = None) -> None:
        super().__init__(data)
        self.user = user

    def clean_name(self) -> str:
        """Reject the name of another token, such as when the page with a new token is reloaded."""
        name: str = self.cleaned_data["name"]
        if self.user.api_tokens.filter(name=name).exists():
            raise forms.ValidationError(
                "You have a token with this name. Choose another name, or revoke that token first."
            )
        return name

    def clean(self) -> None:
        if problem := TOKENS.problem(self.user.api_tokens.count()):
            raise forms.ValidationError(problem)
