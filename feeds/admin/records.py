# mypy: disable-error-code="type-arg"
# Django's admin classes take no parameters at run time.
"""Read-only admin pages: the archive, and the costs of language models."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest

from feeds.ai.language.prices import DOLLAR
from feeds.models import ArchivePart, LanguageMonth, LanguageUse


class ReadOnlyAdmin(admin.ModelAdmin):
    """An admin page of rows that only the program writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ArchivePart)
class ArchivePartAdmin(ReadOnlyAdmin):
    """Archived months. `manage.py archive` and `restore_archive` change them."""

    list_display = ("name", "items", "size", "state", "made_at")


@admin.register(LanguageMonth)
class LanguageMonthAdmin(ReadOnlyAdmin):
    """The costs of language models per month, and their share of the budget."""

    list_display = ("__str__", "dollars", "of_budget", "warned_at")

    @admin.display(description="spent")
    def dollars(self, month: LanguageMonth) -> str:
        return f"${month.cost / DOLLAR:,.4f}"

    @admin.display(description="of LLM_MONTHLY_BUDGET")
    def of_budget(self, month: LanguageMonth) -> str:
        budget = settings.LLM_MONTHLY_BUDGET * DOLLAR
        return f"{month.cost / budget:.0%}" if budget else "no limit"


@admin.register(LanguageUse)
class LanguageUseAdmin(ReadOnlyAdmin):
    """The calls to language models per day, model and purpose."""

    list_display = ("day", "model", "purpose", "calls", "failed", "estimated", "tokens_in",
                    "tokens_out", "dollars")  # fmt: skip
    list_filter = ("model", "purpose")

    @admin.display(description="cost")
    def dollars(self, use: LanguageUse) -> str:
        return f"${use.cost / DOLLAR:,.4f}"
