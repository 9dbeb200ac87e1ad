"""The admin under our name, with an overview as its first page."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse

from ainews_site.overview import parts_for


class Admin(AdminSite):
    site_header = "AI News"
    site_title = "AI News admin"
    index_title = "Overview"
    index_template = "admin/overview.html"

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        context = {"parts": parts_for(request)} | (extra_context or {})
        return super().index(request, context)
