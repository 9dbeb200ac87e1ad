"""The admin under our name, with an overview as its first page."""

from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from ainews_site.overview import parts_for


class Admin(AdminSite):
    site_header = "AI News"
    site_title = "AI News admin"
    index_title = "Overview"
    index_template = "admin/overview.html"

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Sign in. A reader who is signed in and is not staff has no access, as on other pages."""
        if request.user.is_authenticated and not self.has_permission(request):
            raise PermissionDenied("Only staff can open the admin.")
        return super().login(request, extra_context)

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        context = {"parts": parts_for(request)} | (extra_context or {})
        return super().index(request, context)
