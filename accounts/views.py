"""The pages to sign in and out, and the page of preferences."""

from collections.abc import Sequence
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, update_session_auth_hash
from django.contrib.auth import logout as end_session
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AdminPasswordChangeForm
from django.contrib.auth.password_validation import password_validators_help_texts
from django.contrib.auth.views import LoginView
from django.db import transaction
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.module_loading import import_string
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.forms import (
    DigestForm,
    InterestsForm,
    OldPasswordForm,
    ReadingForm,
    SigninForm,
    TokenForm,
)
from accounts.models import ApiToken, User
from accounts.revocation import add_revoke_field, revoke_if_chosen
from accounts.signin import is_prefetch, may_redeem, redeem
from accounts.types import ReaderRequest

SECTIONS = ("reading", "interests", "digest", "password", "token")


def signin(request: HttpRequest) -> HttpResponseBase:
    view = LoginView.as_view(
        template_name="accounts/signin.html",
        authentication_form=SigninForm,
        redirect_authenticated_user=True,
    )
    return view(request)


@never_cache
def signin_token(request: HttpRequest, token: str) -> HttpResponse:
    """Sign in by a link. A prefetch, or a request that `may_redeem` rejects, does not use it up."""
    if is_prefetch(request):
        return HttpResponse(status=204)
    with transaction.atomic():  # keep the link valid if the session cannot be saved
        user = redeem(token) if may_redeem(request) else None
        if user is not None:
            login(request, user, backend="django.contrib.auth.backends.ModelBackend")
            request.session.save()
    if user is None:
        return render(request, "accounts/link_refused.html", status=403)
    return redirect("/")


@require_POST
def signout(request: HttpRequest) -> HttpResponse:
    """End the session. The browser drops the pages and data that it stored."""
    end_session(request)
    response = redirect("signin")
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@login_required
def preferences(request: HttpRequest) -> HttpResponse:
    """The page of preferences. Each section has its own form; `section` names the submitted one."""
    reader = cast(ReaderRequest, request)
    section = request.POST.get("section", "")
    forms = _forms(reader.user, request.POST if request.method == "POST" else None, section)
    if request.method != "POST":
        saved = request.GET.get("saved", "")
        return _page(reader, forms, saved=saved if saved in SECTIONS else "")
    if section == "revoke":
        ApiToken.objects.filter(user=reader.user, pk=_number(request.POST.get("token"))).delete()
        return redirect("/preferences/?saved=token#account")
    form = forms.get(section)
    if form is None or not form.is_valid():
        # A ModelForm changes its instance even if it is invalid. The page shows the saved values.
        reader.user.refresh_from_db()
        return _page(reader, forms, status=422)
    return _save(reader, section, form, forms)


def _save(
    request: ReaderRequest, section: str, form: Any, forms: dict[str, BaseForm]
) -> HttpResponse:
    if section == "token":
        token = ApiToken.issue(request.user, form.cleaned_data["name"])
        return _page(request, forms | {"token": TokenForm(request.user)}, new_token=token)
    with transaction.atomic():
        form.save()
        if section == "password" and (done := revoke_if_chosen(form, request.user)):
            messages.success(request, done)
        request.user.bump_cache_version()
    if section == "password":
        update_session_auth_hash(request, request.user)
    return redirect(f"/preferences/?saved={section}#{section}")


def _forms(user: User, data: Any, section: str) -> dict[str, BaseForm]:
    """Return the form of each section. Only that of `section` is bound to `data`."""

    def data_of(name: str) -> Any:
        return data if section == name else None

    # A user who signed in by a link may have no password yet, so there is no old one to enter.
    password: type[Any] = OldPasswordForm if user.has_usable_password() else AdminPasswordChangeForm
    password_form = password(user, data_of("password"))
    for field in password_form.fields.values():  # Django would focus this form, one of several
        field.widget.attrs.pop("autofocus", None)
        if "<ul>" in field.help_text:  # Django's HTML, which pages escape
            field.help_text = " ".join(password_validators_help_texts())
    add_revoke_field(password_form, user)
    return {
        "reading": ReadingForm(data_of("reading"), instance=user),
        "interests": InterestsForm(user, _topics(), data_of("interests")),
        "digest": DigestForm(data_of("digest"), instance=user),
        "password": password_form,
        "token": TokenForm(user, data_of("token")),
    }


def _topics() -> Sequence[Any]:
    """Return all topics. A setting names them, as accounts can't import feeds."""
    topics: Sequence[Any] = import_string(settings.INTEREST_TOPICS)
    return topics


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 18 else 0


def _page(
    request: ReaderRequest,
    forms: dict[str, BaseForm],
    *,
    saved: str = "",
    new_token: str = "",
    status: int = 200,
) -> HttpResponse:
    tokens = request.user.api_tokens.order_by("-created_at")
    context = {"forms": forms, "saved": saved, "new_token": new_token, "tokens": tokens}
    return render(request, "accounts/preferences.html", context, status=status)
